# SPDX-License-Identifier: GPL-2.0
"""The module, and a running container of each engine."""

import pytest
from engines import ENGINES


@pytest.fixture
def cgroup_isolation(cgroup_isolation_module):
    """cgroup_isolation.ko, loaded: nothing else is needed, nor done to the containers."""
    cgroup_isolation_module.load()
    return cgroup_isolation_module


@pytest.fixture(scope="module", params=ENGINES)
def box(request):
    """A container with 256 MiB, 1.5 CPUs and the cpuset 0. Starting one takes seconds, so the tests
    of a file share it; it runs on while the module comes and goes."""
    with ENGINES[request.param](f"tk-{request.param}") as container:
        yield container
