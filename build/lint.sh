#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Checks the sources, each kind with its established tool, and the rules of our
# own that a tool can check. Ends with 'N passed, N failed'.

set -euo pipefail
. "$(dirname "$0")/common.sh"

cd "$here/.."
kernel=$(build/kernel.sh vm)
tree=$kernel/tree
passed=0
failed=0

in_root() { build/in-root "$@"; }

# check NAME COMMAND…: shows the output of a command that fails.
check() {
	local name=$1 output
	shift
	if output=$("$@" 2>&1); then
		echo "ok   $name"
		passed=$((passed + 1))
	else
		echo "FAIL $name"
		printf '%s\n' "$output"
		failed=$((failed + 1))
	fi
}

tracked() { git ls-files --cached --others --exclude-standard -- "$@"; }

clippy() {
	local out=out/clippy
	# From scratch, or what is up to date isn't looked at again.
	rm -rf "$out" && mkdir -p "$out"
	in_root make -C "$tree" M="$PWD" MO="$PWD/$out" TK_SELFTEST=1 CLIPPY=1 modules \
		>"$out/log" 2>&1 || { cat "$out/log"; return 1; }
	! grep -A 12 -E '^(warning|error)|WARNING' "$out/log"
}

tkctl_clippy() { build/tkctl.sh clippy --all-targets -- -D warnings; }

# DKMS has to be told what Kbuild builds.
# Kernels with the patch first, then those without.
dkms_modules() {
	diff <(module_names && stock_module_names) \
		<(sed -n '/tk_modules=(/,/)/{/[()]/!{s/^\t*//;p}}' packaging/dkms.conf.in)
}

format() {
	tracked '*.rs' | xargs build/in-root rustfmt --check --edition 2021 \
		--config-path "$tree/.rustfmt.toml"
}

# By standard input, or checkpatch takes it for a source file of a repository.
patch_style() { in_root "$tree/scripts/checkpatch.pl" --strict --no-tree - <hooks.patch; }

c_style() {
	# The kernel's types and macros aren't for user space; tests may be frank.
	tracked '*.c' '*.h' | xargs build/in-root "$tree/scripts/checkpatch.pl" \
		--strict --no-tree --terse -f \
		--ignore VOLATILE,SPLIT_STRING,NEW_TYPEDEFS,AVOID_EXTERNS,CONST_STRUCT
}

# In a repository of just the files that it changes: the whole tree takes long.
patch_applies() {
	local source work
	source=$(build/source.sh 7.3)/linux-source-7.3.tar.xz
	work=$(mktemp -d)
	sed -n 's,^--- a/,*/,p' hooks.patch |
		in_root tar -xf "$source" -C "$work" --strip-components=1 --wildcards -T -
	git -C "$work" init -q
	git -C "$work" add -f .
	git -C "$work" -c user.name=lint -c user.email=lint@localhost commit -qm base
	git -C "$work" -c user.name=lint -c user.email=lint@localhost am -q "$PWD/hooks.patch" &&
		git -C "$work" reset -q --hard HEAD~ && in_root patch -s -p1 -d "$work" <hooks.patch
	local status=$?
	rm -rf "$work"
	return "$status"
}

shell_scripts() {
	local file
	while read -r file; do
		case $(head -n 1 "$file") in
		'#!'*sh) echo "$file" ;;
		*) [[ $file != *.sh ]] || echo "$file" ;;
		esac
	done < <(tracked | grep -v '\.patch$')
}

shell_style() { shell_scripts | xargs build/in-root shellcheck -x -P SCRIPTDIR -P build; }

python_style() {
	tracked '*.py' | xargs build/in-root python3 -m pyflakes
}

# `unsafe` and raw bindings are the layer's alone.
unsafe_outside_layer() {
	! tracked 'modules/*.rs' | grep -v '^modules/tk/' |
		xargs grep -nE '\bunsafe\b|\bbindings::' /dev/null &&
		! tracked 'tools/*.rs' | grep -v /sys.rs | xargs grep -nE '\bunsafe( |$)' /dev/null
}

# What a user can reach must not panic.
panics() {
	! tracked 'modules/*.rs' | grep -v _tests.rs |
		xargs grep -nE '\.unwrap\(\)|\.expect\(|\b(panic|todo|unimplemented|unreachable)!' /dev/null
}

spdx() {
	local file
	local bad=0
	for file in $(tracked '*.rs' '*.c' '*.h' '*.sh' '*.py' '*Kbuild' Makefile '*.config' '*.toml'); do
		head -n 3 "$file" | grep -q SPDX-License-Identifier && continue
		echo "$file has no SPDX line"
		bad=1
	done
	return "$bad"
}

check "clippy, with the kernel's lints" clippy
check "clippy on tkctl" tkctl_clippy
check "rustfmt" format
check "checkpatch --strict on hooks.patch" patch_style
check "hooks.patch applies with git am and with patch -p1" patch_applies
check "checkpatch --strict on C" c_style
check "shellcheck" shell_style
check "pyflakes" python_style
check "unsafe code and raw bindings only in modules/tk, and in tkctl's sys.rs" unsafe_outside_layer
check "nothing that panics" panics
check "DKMS builds the modules of Kbuild" dkms_modules
check "SPDX lines" spdx

echo "$passed passed, $failed failed"
((failed == 0))
