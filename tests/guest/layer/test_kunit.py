# SPDX-License-Identifier: GPL-2.0
"""The KUnit suites of the Rust layer, which run when tk_selftest is loaded."""

import re

import pytest
from module import Selftest

CASES = [
    "an_empty_table_has_nothing",
    "what_is_put_in_is_found_until_it_is_removed",
    "a_second_entry_takes_the_place_of_the_first",
    "nothing_is_lost_while_the_table_grows_and_shrinks",
    "the_state_belongs_to_the_table",
]


@pytest.fixture(scope="module")
def results():
    """Result of each case."""
    from kernel_log import KernelLog

    log = KernelLog()
    selftest = Selftest(suites="tk_*")
    selftest.clean_up()
    selftest.load()
    lines = log.read()
    log.close()
    selftest.clean_up()
    found = {}
    for line in lines:
        case = re.match(r"\s+(ok|not ok) \d+ (\w+)$", line)
        if case:
            found[case[2]] = case[1]
    return found, lines


@pytest.mark.limit(300)
@pytest.mark.parametrize("case", CASES)
def test_case(results, case):
    """A case passes."""
    found, lines = results
    assert found.get(case) == "ok", "\n".join(lines)


def test_no_case_is_missing_here(results):
    """What the module has is what this file lists."""
    assert sorted(results[0]) == sorted(CASES)
