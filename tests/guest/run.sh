#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# In the guest: run.sh [PYTEST ARGUMENTS] runs the tests and passes pytest's
# exit status on.

cd /usr/share/tkernel-rs || exit 1
export PYTHONDONTWRITEBYTECODE=1
# Checkers slow the kernel down, and with it everything that has a time limit.
if zcat /proc/config.gz 2>/dev/null | grep -q '^CONFIG_PROVE_LOCKING=y'; then
	export TK_TIME_SCALE="${TK_TIME_SCALE:-5}"
fi
mkdir -p /results
# Files of the same name in two folders are two modules.
exec python3 -m pytest -p no:cacheprovider -q --durations=10 --import-mode=importlib -o junit_family=xunit1 \
	--junitxml=/results/junit.xml "$@"
