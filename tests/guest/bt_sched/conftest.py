# SPDX-License-Identifier: GPL-2.0
"""The module, in time that doesn't depend on what else this machine does."""

import bt
import pytest
from clock import short_turns
from module import Module, path


@pytest.fixture
def bt_module():
    """bt_sched_shim.ko, for who loads it himself."""
    if not path("bt_sched_shim"):
        pytest.skip("there is no bt_sched_shim.ko: without the slot in the kernel it can't be built")
    module = Module("bt_sched_shim")
    module.clean_up()
    yield module
    module.clean_up()
    assert not bt.left(), "the unloaded module has left files"
    assert not bt.everybodys_policy(), "somebody is in a class that isn't there"


@pytest.fixture
def sched(bt_module):  # pylint: disable=redefined-outer-name
    """bt_sched_shim.ko, loaded without parameters."""
    bt_module.load()
    return bt_module


@pytest.fixture
def turns():
    """The CPUs seem to run at the same time."""
    with short_turns():
        yield


@pytest.fixture
def note(record_property):
    """Keeps a figure with the test's result, and prints it."""

    def keep(name, value):
        record_property(name, value)
        print(f"{name}: {value}")

    return keep


@pytest.fixture
def four_cpus():
    """Some tests need somewhere to go."""
    if len(bt.CPUS) < 4:
        pytest.skip("this machine has fewer than 4 CPUs")
