# SPDX-License-Identifier: GPL-2.0
"""What every test in the guest gets: a look at the kernel's log, a time limit, and an end."""

import pathlib
import signal
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))

# pylint: disable=wrong-import-position
import abi  # noqa: E402
import limit  # noqa: E402
import traces  # noqa: E402
from kernel_log import KernelLog  # noqa: E402
from module import Module, Selftest  # noqa: E402
from target import SCALE  # noqa: E402

LIMIT = 60


def pytest_configure(config):
    """The markers: for tests that need longer (in seconds on the normal kernel), and others."""
    config.addinivalue_line("markers", f"limit(seconds): time limit instead of {LIMIT} s")
    config.addinivalue_line("markers", "storm: loads and unloads modules without pause")
    config.addinivalue_line("markers", "long: run with TK_LONG=1")


def pytest_sessionstart():
    """A kernel whose checkers have reported something is a kernel without checkers."""
    log = KernelLog(whole=True)
    trouble = log.matching(r"\b(BUG|WARNING): ")
    log.close()
    if trouble:
        pytest.exit("before the tests began the kernel had " + "; ".join(trouble), 3)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    """A guest that is cut off never gets to pytest's list of what failed: each by name at once."""
    if report.failed:
        print(f"\n{report.nodeid} failed ({report.when})", file=sys.__stdout__, flush=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """A test with its fixtures ends in time, or is interrupted."""
    marker = item.get_closest_marker("limit")
    seconds = (marker.args[0] if marker else LIMIT) * SCALE

    def on_alarm(_signal, _frame):
        if not getattr(item, "is_in_phase", False):
            # Between phases it would end the whole session.
            signal.setitimer(signal.ITIMER_REAL, 1)
            return
        # Again, should the fixtures' cleaning up hang as well.
        signal.setitimer(signal.ITIMER_REAL, 30 * SCALE)
        pytest.fail(f"took longer than {seconds:.0f} s")

    old = signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, old)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def phase(item):
    """What may be interrupted: pytest makes a failure of it."""
    item.is_in_phase = True
    try:
        yield
    finally:
        item.is_in_phase = False


pytest_runtest_setup = pytest_runtest_call = pytest_runtest_teardown = phase


@pytest.fixture(autouse=True)
def kernel_log():
    """The kernel's log since the test began, which has to be free of trouble."""
    log = KernelLog()
    yield log
    trouble = log.trouble()
    lost = log.lost
    log.close()
    assert not trouble, "the kernel's log has:\n" + "\n".join(trouble)
    assert not lost, "the kernel logged more than its buffer holds"


def unloaded_afterwards(module):
    """A module that a test loads its own way. Unloaded in the end, whatever happens."""
    module.clean_up()
    yield module
    module.clean_up()


@pytest.fixture
def ttools_module():
    """ttools.ko."""
    yield from unloaded_afterwards(Module("ttools"))
    assert not abi.exists(), "the unloaded module has left a device"


@pytest.fixture
def ttools(ttools_module):  # pylint: disable=redefined-outer-name
    """ttools.ko, loaded without parameters."""
    ttools_module.load()
    return ttools_module


@pytest.fixture
def pclimit_module():
    """pclimit.ko."""
    yield from unloaded_afterwards(Module("pclimit"))
    assert not limit.left(), "the unloaded module has left files or its thread"


@pytest.fixture
def cgroup_isolation_module():
    """cgroup_isolation.ko."""
    yield from unloaded_afterwards(Module("cgroup_isolation"))


def small_module(name):
    """A fixture for a module that is loaded without parameters and leaves nothing behind."""

    @pytest.fixture(name=name)
    def fixture():
        before = traces.all_names()
        module = Module(name)
        for loaded_module in unloaded_afterwards(module):
            loaded_module.load()
            yield loaded_module
        assert traces.all_names() == before, f"{name} has left something behind"

    return fixture


nonpriv_netbind = small_module("nonpriv_netbind")
shield_mounts = small_module("shield_mounts")
release_suffix = small_module("release_suffix")
hostinfo = small_module("hostinfo")
fatal_signals = small_module("fatal_signals")
epoll_min_wait = small_module("epoll_min_wait")
max_map_count = small_module("max_map_count")
irq_force_manage = small_module("irq_force_manage")
tcp_tuning = small_module("tcp_tuning")


@pytest.fixture
def selftest():
    """tk_selftest.ko, which takes hooks or makes files when a test asks for it."""
    yield from unloaded_afterwards(Selftest())
