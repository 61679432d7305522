# SPDX-License-Identifier: GPL-2.0
"""tkctl, and the modules that it is about."""

import subprocess

from command import TKCTL
import pytest
from target import SCALE


@pytest.fixture
def tkctl():
    """Runs tkctl and returns what became of it."""
    def run(*words, **options):
        return subprocess.run([TKCTL, *words], capture_output=True, text=True, check=False,
                              timeout=30 * SCALE, **options)
    return run


@pytest.fixture
def pclimit(pclimit_module):
    """pclimit.ko, loaded: no limit is set."""
    pclimit_module.load()
    return pclimit_module
