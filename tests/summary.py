#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""summary.py FILE...: adds up TAP (.tap) and JUnit (.xml) results.

Prints 'N passed, N failed' and fails if a test did. A file that is missing, cut
off or empty counts as a failure: its session died.
"""

import pathlib
import re
import sys
from collections import Counter
from xml.etree import ElementTree


def tap(text):
    counts = Counter()
    for line in text.splitlines():
        if line.startswith("not ok "):
            counts["failed"] += 1
        elif re.match(r"ok .*# SKIP", line):
            counts["skipped"] += 1
        elif line.startswith("ok "):
            counts["passed"] += 1
    plan = re.search(r"^1\.\.(\d+)$", text, re.M)
    if not plan or int(plan[1]) != counts.total():
        raise ValueError("the tests ended early")
    return counts


def junit(text):
    counts = Counter()
    for case in ElementTree.fromstring(text).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            counts["failed"] += 1
        elif case.find("skipped") is not None:
            counts["skipped"] += 1
        else:
            counts["passed"] += 1
    return counts


def count(path):
    try:
        text = path.read_text(encoding="utf-8")
        counts = {".tap": tap, ".xml": junit}[path.suffix](text)
        if not counts.total():
            raise ValueError("no test ran")
        return counts
    except (OSError, ValueError, ElementTree.ParseError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return Counter(failed=1)


def main():
    total = sum((count(pathlib.Path(name)) for name in sys.argv[1:]), Counter())
    skipped = f", {total['skipped']} skipped" if total["skipped"] else ""
    print(f"{total['passed']} passed, {total['failed']} failed{skipped}")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
