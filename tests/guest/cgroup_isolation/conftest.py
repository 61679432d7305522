# SPDX-License-Identifier: GPL-2.0
"""The module, and a container."""

import pathlib

import pytest
from container import Container, delegate_all
from module import Module

MIB = 1 << 20
SYSCTLS = pathlib.Path("/proc/sys/kernel")


@pytest.fixture(autouse=True)
def controllers():
    """Containers have all controllers."""
    delegate_all()


@pytest.fixture
def isolation_module():
    """cgroup_isolation.ko, for who loads it himself."""
    module = Module("cgroup_isolation")
    module.clean_up()
    yield module
    module.clean_up()
    assert not (SYSCTLS / "stats_isolated").exists(), "the unloaded module has left files"


@pytest.fixture
def isolation(isolation_module):  # pylint: disable=redefined-outer-name
    """cgroup_isolation.ko, loaded."""
    isolation_module.load()
    return isolation_module


@pytest.fixture
def container(isolation):  # pylint: disable=redefined-outer-name,unused-argument
    """A container of 256 MiB."""
    with Container("container", memory_max=256 * MIB) as made:
        yield made


@pytest.fixture
def sysctl():
    """Sets sysctls of the module; they go with it."""

    def put(name, value):
        (SYSCTLS / name).write_text(str(value))

    return put
