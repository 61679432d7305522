# SPDX-License-Identifier: GPL-2.0
"""The examples of README.md do what it says."""

import pathlib
import subprocess

import pytest

EXAMPLES = pathlib.Path("/usr/share/tkernel-rs/readme")


@pytest.mark.parametrize("command", [
    [EXAMPLES / "c"],
    ["python3", EXAMPLES / "python"],
    [EXAMPLES / "rust"],
], ids=["c", "python", "rust"])
def test_example_protects_itself(ttools, command):
    """It runs, and says so only when the ioctl succeeded."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "protected\n"


@pytest.mark.parametrize("command", [
    [EXAMPLES / "c"],
    ["python3", EXAMPLES / "python"],
    [EXAMPLES / "rust"],
], ids=["c", "python", "rust"])
def test_example_fails_without_the_module(module, command):
    """It doesn't pretend."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "protected" not in done.stdout
