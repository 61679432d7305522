#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh FLAVOUR: installs the packages of two kernels of that flavour on a Debian
# machine with systemd and GRUB, boots both, and removes them again. Prints TAP.
# It takes about 20 minutes and the build of a second kernel. TK_DEBS: a directory
# with one/ and two/, packages that are built already; without two/ what takes a
# second kernel is skipped.
# run.sh stock: installs Debian's own kernel that tkhooks is for, and the packages for
# that, uses them without a reboot, and removes them. TK_DEBS has debian/ and one/.

set -euo pipefail
. "$(dirname "$0")/../../build/common.sh"
. "$here/archive.sh"

flavour=${1:-vm}
checkout=$(dirname "$here")
tests=$(cd "$(dirname "$0")" && pwd)
disk=$("$tests/image.sh")
work=$(mktemp -d -p "$cache" install.XXXXXX)
trap 'rm -rf "$work"' EXIT
# Each boot ends in a reboot, and QEMU with it.
limit=${VM_TIMEOUT:-1500}

# Debian's own kernel and its headers, as its archive has them.
debians_packages() (
	release=$1
	shared=${release%%-*}
	set_up_apt
	mkdir "$work/debs/debian"
	cd "$work/debs/debian"
	apt-get update
	apt-get download "linux-image-$release" "linux-binary-$release" "linux-modules-$release" \
		"linux-base-$release" "linux-headers-$release" "linux-headers-$shared-common" \
		"linux-kbuild-$shared" linux-base
)

boots=5 guest=guest.sh
[[ $flavour != stock* ]] || boots=2 guest=guest-stock.sh
debs=${TK_DEBS:-$work/debs}
if [[ ${TK_DEBS:-} ]]; then
	say "packages of $TK_DEBS"
elif [[ $flavour == stock* ]]; then
	release=$(<"$("$here/stock.sh" "$flavour")/release")
	mkdir "$debs"
	debians_packages "$release" >&2
	DEB_COMPRESSION=none DEB_DIR=$debs/one "$here/deb.sh" >&2
	DEB_COMPRESSION=none "$here/rust-headers.sh" "$release" "$debs/one"
else
	DEB_COMPRESSION=none DEB_DIR=$debs/one "$here/deb.sh" "$flavour" >&2
	DEB_COMPRESSION=none TKERNEL_REVISION=2 "$here/kernel-deb.sh" "$flavour" "$debs/two" >&2
fi
mkdir "$work/tests"
cp -r "$debs"/* "$work/tests/"
install "$tests/$guest" "$work/tests/run"
install -m 644 "$tests/lib.sh" "$work/tests/"
names=module_names
[[ $flavour != stock* ]] || names=stock_module_names
"$names" | paste -sd' ' >"$work/tests/modules"
truncate -s 1G "$work/tests.ext4"
"$here/in-root" mke2fs -q -t ext4 -L tktest -m 0 -d "$work/tests" "$work/tests.ext4"
cp --sparse=always "$disk" "$work/disk"

# The emulator that the other guests have.
read -ra accelerator < <("$here/in-root" env PYTHONPATH="$checkout/tests/vm" PYTHONDONTWRITEBYTECODE=1 \
	python3 -c 'import qemu; print(*qemu.TCG)')
console=${TK_CONSOLE:-$work/console}
: >"$console"
for ((boot = 1; boot <= boots; boot++)); do
	say "boot $boot of $boots"
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
