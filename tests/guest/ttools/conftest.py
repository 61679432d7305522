# SPDX-License-Identifier: GPL-2.0
"""Processes that protect themselves, and others that want to look in."""

# pylint: disable=redefined-outer-name,unused-argument

import pytest
from target import Target


@pytest.fixture
def module(ttools_module):
    """ttools.ko, for tests that load it their own way."""
    return ttools_module


@pytest.fixture
def spawn(module):
    """Makes targets, which end with the test, before the module is unloaded."""
    targets = []

    def make(**kwargs):
        targets.append(Target(**kwargs))
        return targets[-1]

    yield make
    # A tracee isn't gone to its parent before its tracer is: first they all die.
    for target in targets:
        target.send_kill()
    for target in targets:
        target.close()


@pytest.fixture
def target(ttools, spawn):
    """A process that isn't protected yet, with the module loaded."""
    return spawn()


@pytest.fixture
def protected(target):
    """A protected process."""
    target.protect()
    return target


@pytest.fixture
def attacker(spawn):
    """Another process of root."""
    return spawn()
