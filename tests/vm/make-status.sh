#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds make-status.c unless the cache has it, and prints where it is.

set -euo pipefail
. "$(dirname "$0")/../../build/common.sh"

src=$(dirname "$0")/make-status.c
entry=$cache/make-status-$(content_key <"$src")
if [[ ! -e $entry/status.so ]]; then
	mkdir -p "$entry"
	"$here/in-root" gcc -O2 -Wall -Wextra -Werror -shared -fPIC \
		-o "$entry/status.so.new" "$src"
	mv "$entry/status.so.new" "$entry/status.so"
fi
echo "$entry/status.so"
