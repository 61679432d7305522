#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# modules.sh FLAVOUR [MAKE ARGUMENTS…]: builds the modules and the tests'
# own for that kernel, and prints the directory that they are in. For kernels without
# hooks.patch that is tkhooks and what it has the hooks for.

set -euo pipefail
. "$(dirname "$0")/common.sh"

flavour=${1:-}
shift || die "usage: modules.sh FLAVOUR [MAKE ARGUMENTS…]"

# Kbuild writes some files even where nothing is to be done: two runs in one
# directory break each other.
lock modules

checkout=$(dirname "$here")
kernel=$(kernel_of "$flavour")
# Apart from what `make` builds for the machine's own kernel, and beside the
# sources, so that messages name paths that an editor finds.
out=$checkout/out/$flavour
mkdir -p "$out"
# The compiler has to be the kernel's.
read -ra make_args <"$kernel/make-args" || true
make_args+=(TK_SELFTEST=1)
case $flavour in
stock*)
	"$here/patch.sh" files "$out/patch"
	make_args+=(TKHOOKS=1)
	;;
esac

# Output only if something is wrong: `make vm` prints what the guest prints.
log=$out/build.log
"$here/in-root" make -C "$kernel/tree" "${make_args[@]}" M="$checkout" MO="$out" \
	modules "$@" >"$log" 2>&1 || {
	cat "$log" >&2
	die "building the modules failed"
}
echo "$out"
