#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Lists the options of kernel.config that the virtual machine's kernel has set
# differently from Debian's. Built in or a module makes no difference here: the
# machine has no initramfs, so what it boots with is built in.

set -euo pipefail
. "$(dirname "$0")/common.sh"

debian=$("$here/source.sh" 7.3)/config/config.amd64_none_amd64.xz
ours=$("$here/kernel.sh" vm)/config

value_in() {
	sed -n "s/^$1=//p" "$2" | grep . || echo n
}

work=$(mktemp)
trap 'rm -f "$work"' EXIT
"$here/in-root" xz -dc "$debian" >"$work"

grep -oE '^(# )?CONFIG_[A-Za-z0-9_]+' "$here/kernel.config" | sed 's/^# //' | sort -u |
	while read -r option; do
		mine=$(value_in "$option" "$ours")
		theirs=$(value_in "$option" "$work")
		[[ ${mine/#m/y} == "${theirs/#m/y}" ]] ||
			printf '%-44s %s, Debian: %s\n' "$option" "$mine" "$theirs"
	done
