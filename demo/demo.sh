#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs in the guest, as root: a process protects itself, and nobody gets in.
# Exits with an error if anything goes otherwise than it says.

set -uo pipefail

vault=/usr/share/tkernel-rs/demo/vault
answers=/tmp/answers
secret='correct horse battery staple'

step() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() {
	printf '\nThe demo failed: %s\n' "$*"
	exit 1
}

# Shows a command and what it prints, shortened.
show() {
	local output status=0
	printf '  # %s\n' "$*"
	output=$(timeout 60 "$@" 2>&1 </dev/null) || status=$?
	output=$(tr -d '\0' <<<"$output" | grep -vE '^(warning: |$)|debuginfod|Using host lib' | tail -n 4)
	[[ -z $output ]] || printf '%s\n' "${output//$'\n'/$'\n'    }" | sed '1s/^/    /'
	last=$output
	return "$status"
}

# The vault answers when it has done what the signal asks for.
ask() {
	local before
	before=$(wc -l <"$answers")
	kill -"$1" "$pid"
	for ((try = 0; try < 100; try++)); do
		(($(wc -l <"$answers") > before)) && break
		sleep 0.1
	done
	[[ $(tail -n 1 "$answers") == "$2" ]] || fail "the process did not answer '$2'"
}

gets_in() {
	show gdb -q -batch -ex 'print secret' -p "$pid"
	[[ $last == *"$secret"* ]] || fail "gdb should have got in"
}

step "The kernel has the hooks ($(uname -r)); ttools fills them. We are $(whoami)."
show modprobe ttools || fail "no ttools"
show ls -l /dev/ttools

step "A process with a secret, like any other: gdb attaches and reads it."
"$vault" >"$answers" &
pid=$!
trap 'kill $pid' EXIT
until [[ -s $answers ]]; do sleep 0.1; done
read -r address length <"$answers"
gets_in

step "Now the process protects itself: ioctl(fd, TTOOLS_PTRACE_PROTECT)."
ask USR1 protected
show cat /sys/class/misc/ttools/protected

step "gdb and strace are refused, as root."
show gdb -q -batch -ex 'print secret' -p "$pid"
[[ $last != *"$secret"* && $last == *'not permitted'* ]] || fail "gdb should have been refused"
show strace -p "$pid" && fail "strace should have been refused"
[[ $last == *'not permitted'* ]] || fail "strace should have been refused"

step "So is reading its memory through /proc."
show dd if=/proc/"$pid"/mem bs=1 skip="$address" count="$length" status=none &&
	fail "dd should have been refused"
[[ $last == *'Permission denied'* ]] || fail "dd should have been refused"

step "Looking at it works as ever."
show ps -o pid,user,stat,comm -p "$pid" || fail "ps should work"

step "The attempts were counted and logged."
show cat /sys/class/misc/ttools/refused
show sh -c "dmesg | grep -o 'ttools: refused.*'" || fail "nothing was logged"

step "The process ends its protection, and gdb gets in again."
ask USR2 unprotected
gets_in

step "The process ends; unloading leaves nothing behind."
trap - EXIT
kill "$pid"
wait "$pid" 2>/dev/null
show rmmod ttools || fail "rmmod failed"
show ls /dev/ttools && fail "/dev/ttools is still there"

step "That was ttools. See README.md."
