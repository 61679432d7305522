# SPDX-License-Identifier: GPL-2.0
"""Programs that people watch machines with, run in a container: what they say."""

import calendar
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import urllib.error
import urllib.request

from target import SCALE, wait_until


def rows(text):
    """The words of each line."""
    return [line.split() for line in text.splitlines()]


def free(box, *command):
    """Bytes that free(1), procps's or busybox's, gives for "Mem" and "Swap", by column."""
    header, *lines = (box.run(*command, "free", "-b") if command else box.run("free", "-b")).splitlines()
    names = header.split()
    return {line.split(":")[0]: dict(zip(names, map(int, line.split(":")[1].split())))
            for line in lines}


class Top:
    """The second look of top(1), so that its CPU times are those of a second."""

    def __init__(self, box, *options):
        text = box.run("top", "-b", "-n", "2", "-d", "1", "-w", "200", *options)
        self.text = text[text.rindex("top - "):]
        # Two of them may share a line.
        self.cpus = [{name: float(value) for value, name in re.findall(r"([\d.]+) (\w\w)\b", part)}
                     for part in re.findall(r"%Cpu[^%\n]*", self.text)]

    def memory(self):
        """MiB in all and free, and of swap."""
        found = re.search(r"MiB Mem *: *([\d.]+) total, *([\d.]+) free", self.text)
        swap = re.search(r"MiB Swap *: *([\d.]+) total", self.text)
        assert found and swap, self.text
        return float(found[1]), float(found[2]), float(swap[1])


def vmstat(box):
    """The last line of `vmstat 1 2`, by column."""
    _, names, _, last = box.run("vmstat", "1", "2").splitlines()
    return dict(zip(names.split(), map(int, last.split()), strict=True))


def mpstat(box):
    """Percentages of a second for "all" and each CPU, by column."""
    lines = [row[1:] for row in rows(box.run("env", "S_TIME_FORMAT=ISO", "mpstat", "-P", "ALL", "1", "1"))
             if row and row[0] == "Average:"]
    names = lines[0]
    return {line[0]: dict(zip(names[1:], map(float, line[1:]), strict=True)) for line in lines[1:]}


def iostat(box):
    """Percentages of CPU time, and of each disk kB read and written, since the beginning."""
    text = box.run("iostat", "-d", "-c", "-o", "JSON")
    statistics = json.loads(text)["sysstat"]["hosts"][0]["statistics"][0]
    return statistics["avg-cpu"], {disk["disk_device"]: disk for disk in statistics["disk"]}


def htop(box):
    """What htop shows on a terminal in its first seconds, without the escape sequences."""
    pid, terminal = pty.fork()
    if not pid:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
            os.execvp("env", ["env", *box.command("env", "TERM=xterm", "LANG=C.UTF-8", "htop", "-d", "5")])
        finally:
            os._exit(127)
    output = b""
    end = time.monotonic() + 3 * SCALE
    try:
        # Two looks: the first can't have a CPU's use.
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.1)[0]:
                output += os.read(terminal, 65536)
        os.write(terminal, b"q")
        with contextlib.suppress(OSError):
            while os.read(terminal, 65536):
                pass
    except OSError as error:
        raise AssertionError(f"htop has ended: {output}") from error
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])", "", output.decode(errors="replace"))


def python(box, script):
    """What a Python script in the container assigns to `answer`."""
    return json.loads(box.run("python3", "-c", f"import json, os\n{script}\nprint(json.dumps(answer))"))


def jvm(box, *options):
    """What a JVM says about the machine when it starts: CPUs it counts, may use, and bytes."""
    text = box.run("java", *options, "-Xlog:gc+init", "-Xshare:auto", "-version",
                   errors=subprocess.STDOUT)
    cpus = re.search(r"CPUs: (\d+) total, (\d+) available", text)
    memory = re.search(r"Memory: (\d+)M", text)
    assert cpus and memory, text
    return int(cpus[1]), int(cpus[2]), int(memory[1]) << 20


def zabbix(box, key):
    """An item of Zabbix's agent."""
    line = box.run("zabbix_agentd", "-t", key)
    match = re.search(r"\[[a-z]\|(.*)\]\s*$", line)
    assert match and "NOTSUPPORTED" not in line, line
    return match[1]


def node_exporter(box, port):
    """All metrics of Prometheus's node-exporter, a Go program, by name with labels."""
    address = f"127.0.0.1:{port}"
    process = box.start("prometheus-node-exporter", "--runtime.gomaxprocs=0",
                        f"--web.listen-address={address}", stderr=subprocess.DEVNULL)
    text = ""

    def answers():
        nonlocal text
        try:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=20 * SCALE) as answer:
                text = answer.read().decode()
        except urllib.error.URLError:
            assert process.poll() is None, "node-exporter has ended"
            return False
        return True

    try:
        wait_until(answers, "node-exporter's answer")
    finally:
        # Some engines leave what they started behind.
        box.run("pkill", "-f", "^prometheus-node-exporter")
        process.wait(30 * SCALE)
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in text.splitlines() if not line.startswith("#")}


def ps_start(box, pid):
    """When a process was started, in seconds of the epoch, and its age in seconds, by ps(1)."""
    *date, age = box.run("env", "LC_ALL=C", "TZ=UTC", "ps", "-o", "lstart=,etimes=", "-p", pid).split()
    return calendar.timegm(time.strptime(" ".join(date), "%a %b %d %H:%M:%S %Y")), int(age)


def uptime_since(box):
    """Since when uptime(1) says that the machine is up, in seconds of the epoch."""
    text = box.run("env", "TZ=UTC", "uptime", "-s").strip()
    return calendar.timegm(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
