# SPDX-License-Identifier: GPL-2.0
"""The module's own KUnit suites, which run when it is loaded."""

import re

import pytest

CASES = ["all_is_the_time_that_has_passed", "begins_with_what_was_used", "goes_to_what_is_active",
         "none_decreases"]


def test_cases_pass(isolation_module, kernel_log):
    """All of them, and no others."""
    isolation_module.load()
    found = {}
    for line in kernel_log.read():
        case = re.match(r"\s+(ok|not ok) \d+ (\w+)$", line)
        if case:
            found[case[2]] = case[1]
    if not found:
        pytest.skip("this kernel has no KUnit, or runs no suites by itself")
    assert found == dict.fromkeys(CASES, "ok")
