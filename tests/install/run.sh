#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh FLAVOUR: installs the packages of two kernels of that flavour on a Debian
# machine with systemd and GRUB, boots both, and removes them again. Prints TAP.
# It takes about 20 minutes and the build of a second kernel. TK_DEBS: a directory
# with one/ and two/, packages that are built already; without two/ what takes a
# second kernel is skipped.

set -euo pipefail
. "$(dirname "$0")/../../build/common.sh"

flavour=${1:-vm}
checkout=$(dirname "$here")
tests=$(cd "$(dirname "$0")" && pwd)
disk=$("$tests/image.sh")
work=$(mktemp -d -p "$cache" install.XXXXXX)
trap 'rm -rf "$work"' EXIT
# Each boot ends in a reboot, and QEMU with it.
limit=${VM_TIMEOUT:-1500}

if [[ ${TK_DEBS:-} ]]; then
	debs=$TK_DEBS
else
	debs=$work/debs
	DEB_COMPRESSION=none DEB_DIR=$debs/one "$here/deb.sh" "$flavour" >&2
	DEB_COMPRESSION=none TKERNEL_REVISION=2 "$here/kernel-deb.sh" "$flavour" "$debs/two" >&2
fi
mkdir "$work/tests"
cp -r "$debs"/* "$work/tests/"
install "$tests/guest.sh" "$work/tests/run"
module_names | paste -sd' ' >"$work/tests/modules"
truncate -s 1G "$work/tests.ext4"
"$here/in-root" mke2fs -q -t ext4 -L tktest -m 0 -d "$work/tests" "$work/tests.ext4"
cp --sparse=always "$disk" "$work/disk"

# The emulator that the other guests have.
read -ra accelerator < <("$here/in-root" env PYTHONPATH="$checkout/tests/vm" PYTHONDONTWRITEBYTECODE=1 \
	python3 -c 'import qemu; print(*qemu.TCG)')
console=${TK_CONSOLE:-$work/console}
: >"$console"
for ((boot = 1; boot <= 5; boot++)); do
	say "boot $boot of 5"
	"$here/in-root" timeout "$limit" qemu-system-x86_64 -nodefaults -display none -no-reboot \
		-machine pc "${accelerator[@]}" \
		-smp 2 -m 2048 -device virtio-rng-pci \
		-drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" \
		-drive "file=$work/tests.ext4,format=raw,if=virtio,readonly=on" \
		-serial stdio -serial "file:$work/tap" </dev/null >>"$console" || break
	tee -a "$work/all" <"$work/tap"
done
grep -q '^1\.\.[0-9]*$' "$work/all" || {
	say "the machine didn't get to the end; its console ends with:"
	tail -n 30 "$console" >&2
	exit 1
}
! grep -q '^not ok ' "$work/all"
