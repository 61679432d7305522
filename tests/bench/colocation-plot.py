#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""colocation-plot.py LOOKS REQUESTS SVG: draws the first round of what colocation.sh measured.

For each quarter of a second the p99 of the requests, and below that how much of the machine is used.
"""

import bisect
import math
import sys

import colocation

WIDTH, HEIGHT = 760, 370
LEFT, RIGHT = 62, 12
# Of the two panels: top and bottom.
TIMES, USED = (34, 226), (256, 346)
COLOURS = {"alone": "#1e8449", "offline": "#2471a3", "class": "#2471a3"}
RIVAL = "#c0392b"


def intervals(window):
    """Between two looks: the p99 in us, and what share of the machine was used."""
    for looks in zip(window.looks, window.looks[1:]):
        begin, end = (bisect.bisect_left(window.requests, (look.time,)) for look in looks)
        times = sorted(took for _, took, _ in window.requests[begin:end])
        if times:
            yield colocation.quantile(times, 0.99), colocation.share(looks)[0]


def draw(windows):
    """The picture."""
    rows = [(window.row, list(intervals(window))) for window in windows]
    values = [p99 for _, points in rows for p99, _ in points]
    scale = [size * 10 ** power for power in range(8) for size in (1, 2, 5)]
    low = max(step for step in scale if step <= min(values))
    high = min(step for step in scale if step >= max(values))
    width = (WIDTH - LEFT - RIGHT) / len(rows)

    def y(panel, value):
        return round(panel[1] - value * (panel[1] - panel[0]), 1)

    def of_time(p99):
        return y(TIMES, math.log(p99 / low) / math.log(high / low))

    def steps(row, points):
        """A level line for each of the points."""
        begin, step = LEFT + row * width + 3, (width - 6) / len(points)
        return f"M{begin:.1f} {points[0]}" + "".join(f"V{height}H{begin + i * step:.1f}"
                                                     for i, height in enumerate(points, 1))

    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">')
    # Readable on a dark page as well.
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    marks = [(of_time(step), f"{step / 1000:g}") for step in scale if low <= step <= high]
    marks += [(y(USED, percent / 100), f"{percent} %") for percent in (0, 50, 100)]
    for height, text in marks:
        yield f'<path d="M{LEFT} {height}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{height + 4}" text-anchor="end">{text}</text>'
    for (top, bottom), text in ((TIMES, "p99, ms"), (USED, "CPUs used")):
        yield (f'<text transform="translate(14 {(top + bottom) / 2}) rotate(-90)" text-anchor="middle">'
               f"{text}</text>")
    for number, (row, points) in enumerate(rows):
        colour, middle = COLOURS.get(row, RIVAL), LEFT + (number + 0.5) * width
        yield (f'<text x="{middle:.1f}" y="20" text-anchor="middle" fill="{colour}">'
               f"{colocation.ROWS[row]}</text>")
        for heights in ([of_time(p99) for p99, _ in points], [y(USED, used) for _, used in points]):
            yield f'<path d="{steps(number, heights)}" fill="none" stroke="{colour}" stroke-width="2"/>'
    seconds = max((window.end - window.begin) / 1e6 for window in windows)
    yield (f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
           f"{seconds:.0f} seconds each</text>")
    yield "</svg>"


def main():
    """Reads the files that the arguments name."""
    first = {}
    for window in colocation.read(*sys.argv[1:3]):
        first.setdefault(window.row, window)
    with open(sys.argv[3], "w", encoding="ascii") as file:
        file.write("\n".join(draw(list(first.values()))) + "\n")


main()
