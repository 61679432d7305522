# SPDX-License-Identifier: GPL-2.0
"""The KUnit suites of the Rust layer, which run when tk_selftest is loaded."""

import re

import pytest
from module import KUNIT_FILTER, Selftest

CASES = [
    # kthread
    "a_thread_runs_until_it_is_dropped",
    "a_thread_may_end_before_it_is_told_to",
    "a_thread_that_ends_while_it_is_dropped_is_dropped_once",
    "a_thread_that_never_ran_leaks_nothing",
    # number
    "a_share_is_exact_beyond_64_bits",
    "a_share_is_all_if_there_is_nothing_to_share_by",
    "numbers_have_all_their_digits",
    # percpu
    "a_new_counter_is_zero",
    "each_cpu_has_a_number_of_its_own",
    "nothing_is_lost_when_many_add",
    # rcu_table
    "an_empty_table_has_nothing",
    "what_is_put_in_is_found_until_it_is_removed",
    "a_second_entry_takes_the_place_of_the_first",
    "nothing_is_lost_while_the_table_grows_and_shrinks",
    "the_state_belongs_to_the_table",
    # release
    "the_suffix_stands_before_the_third_dash",
    "a_release_that_would_be_too_long_stays",
    "nothing_is_put_in_behind_the_end",
    # wait_queue
    "a_true_condition_needs_no_wait",
    "a_wait_ends_when_its_time_is_over",
    "the_condition_is_looked_at_when_the_time_is_over",
    "a_condition_may_sleep",
    "a_queue_has_waiters_while_somebody_waits",
    "wakers_that_look_for_waiters_lose_no_wake_up",
    "a_thread_that_is_to_stop_waits_for_nothing",
]

pytestmark = pytest.mark.skipif(not KUNIT_FILTER.exists(), reason="this kernel has no CONFIG_KUNIT")


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
