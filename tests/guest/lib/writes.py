# SPDX-License-Identifier: GPL-2.0
"""Writes to files of /proc, good and bad."""

import os
import random
import re

# What the kernel takes for white space: of Latin-1, too.
SPACES = re.compile(rb"[ \t\n\v\f\r\xa0]+")


def write(path, data, offset=0):
    """The result of one write(2): the number of bytes, or an errno below 0."""
    file = os.open(path, os.O_WRONLY)
    try:
        # What seq_file opens knows no pwrite(2).
        if offset:
            os.lseek(file, offset, os.SEEK_SET)
        return os.write(file, data)
    except OSError as error:
        return -error.errno
    finally:
        os.close(file)


def mutated(generator, text):
    """A text with something wrong, perhaps."""
    data = bytearray(text)
    for _ in range(generator.choice((0, 0, 0, 1, 1, 2, 5))):
        where = generator.randrange(len(data) + 1)
        kind = generator.randrange(4)
        if kind == 0:
            data.insert(where, generator.choice(b"\0\n\t\r +-0x19\\/ \xff" + bytes([generator.randrange(256)])))
        elif kind == 1 and data:
            del data[where % len(data)]
        elif kind == 2 and data:
            data[where % len(data)] = generator.randrange(256)
        else:
            data[where:where] = bytes(data[where:where + generator.randrange(9)])
    return bytes(data)


def storm(path, make, model, state, show, count=10_000, seed=1):
    """Random writes. `make(generator)` gives the bytes; `model(state, data)` says what has to come
    of it, the result and the new state; `show(state)` what the file shows then."""
    generator = random.Random(seed)
    results = {}
    file = os.open(path, os.O_RDWR)
    for number in range(count):
        data = make(generator)
        expected, state = model(state, data)
        try:
            result = os.write(file, data)
        except OSError as error:
            result = -error.errno
        assert result == expected, (number, data)
        key = "done" if result >= 0 else -result
        results[key] = results.get(key, 0) + 1
        # Reading costs more: after some of the bad writes, and fewer of the good ones.
        if number % (4 if result < 0 else 16) == 0:
            with open(path, "rb") as shown:
                assert shown.read() == show(state), (number, data)
    os.close(file)
    with open(path, "rb") as shown:
        assert shown.read() == show(state)
    print(f"results: {results}")
    return results


def sysctl_storm(path, low, high, count=10_000, seed=1):
    """The same for a file of /proc/sys with an int. The kernel's own parser decides what is a
    number; whatever it takes is in the range and stored, else nothing is."""
    generator = random.Random(seed)
    results = {}
    current = int(path.read_text())
    file = os.open(path, os.O_RDWR)
    numbers = [0, 1, -1, low, high, low - 1, high + 1, 2 ** 31, -2 ** 31, 2 ** 32 + 1, 2 ** 63, 2 ** 64 + 1]
    for number in range(count):
        text = str(generator.choice((generator.choice(numbers), generator.randrange(low, high + 1),
                                     generator.randrange(-2 ** 40, 2 ** 40))))
        data = mutated(generator, text.encode() + generator.choice((b"", b"\n", b" 5\n")))
        try:
            result = os.pwrite(file, data, 0)
        except OSError as error:
            result = -error.errno
        key = "done" if result >= 0 else -result
        results[key] = results.get(key, 0) + 1
        now = int(os.pread(file, 64, 0))
        if result < 0:
            assert result == -22, (data, result)
            assert now == current, data
        elif data:
            # A write that the kernel takes begins with a number.
            words = SPACES.split(SPACES.sub(b"", data, count=1) if SPACES.match(data) else data)
            assert now == c_int(words[0].split(b"\0")[0]), (data, now)
            assert low <= now <= high, data
        else:
            assert now == current
        current = now
    os.close(file)
    print(f"results: {results}")
    assert results["done"] > count / 10 and results[22] > count / 10
    return results


def c_int(word):
    """A number as C has it."""
    negative = word.startswith(b"-")
    digits = word[1:] if negative else word
    if digits[:2].lower() == b"0x":
        value = int(digits, 16)
    elif digits.startswith(b"0"):
        value = int(digits, 8)
    else:
        value = int(digits)
    return -value if negative else value
