# SPDX-License-Identifier: GPL-2.0
"""Where tkctl is."""

import pathlib

TKCTL = pathlib.Path(__file__).resolve().parents[1] / "bin/tkctl"
