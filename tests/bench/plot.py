#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""plot.py SVG CSV=LABEL...: draws the page cache over time, from what samplers saw.

It is lines in a frame, and of few points, so that it can lie in a repository.
"""

import csv
import sys

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 20, 45
POINTS = 150
COLOURS = ["#c0392b", "#2471a3", "#1e8449", "#7d3c98"]


def read(path):
    """Seconds and MiB of page cache."""
    with open(path, encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    begin = int(rows[0]["time_ns"])
    points = [((int(row["time_ns"]) - begin) / 1e9,
               (int(row["nr_file_pages"]) - int(row["nr_shmem"])) / 256) for row in rows]
    # The largest of several neighbours: none that was above a limit gets lost.
    step = max(1, len(points) // POINTS)
    return [(points[i][0], max(value for _, value in points[i:i + step]))
            for i in range(0, len(points), step)]


def ticks(largest, count):
    """Round numbers up to the largest."""
    step = next(size * 10 ** power for power in range(-3, 6) for size in (1, 2, 5)
                if largest / (size * 10 ** power) <= count)
    return [number * step for number in range(int(largest / step) + 1)]


def draw(curves):
    """The picture."""
    last = max(points[-1][0] for _, points in curves)
    most = max(value for _, points in curves for _, value in points) * 1.08

    def x(seconds):
        return round(LEFT + seconds / last * (WIDTH - LEFT - RIGHT), 1)

    def y(mib):
        return round(HEIGHT - BOTTOM - mib / most * (HEIGHT - TOP - BOTTOM), 1)

    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12">')
    # Readable on a dark page as well.
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    for mib in ticks(most, 6):
        yield f'<path d="M{LEFT} {y(mib)}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y(mib) + 4}" text-anchor="end">{mib:g}</text>'
    for seconds in ticks(last, 8):
        yield (f'<text x="{x(seconds)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
               f'{seconds:g}</text>')
    yield (f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
           'seconds</text>')
    yield (f'<text transform="translate(14 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" '
           'text-anchor="middle">page cache, MiB</text>')
    for (label, points), colour in zip(curves, COLOURS):
        line = " ".join(f"{x(seconds)},{y(mib)}" for seconds, mib in points)
        yield f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
        seconds, mib = points[len(points) * 3 // 4]
        yield (f'<text x="{x(seconds)}" y="{y(mib) - 8}" text-anchor="middle" fill="{colour}">'
               f'{label}</text>')
    yield "</svg>"


def main():
    """Reads the files that the arguments name."""
    curves = []
    for argument in sys.argv[2:]:
        path, _, label = argument.partition("=")
        curves.append((label, read(path)))
    with open(sys.argv[1], "w", encoding="ascii") as file:
        file.write("\n".join(draw(curves)) + "\n")


main()
