#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# As guest.sh, for Debian's own kernel of the version that tkhooks is for: debian/ on
# the test disk has its packages, one/ ours.

set -u
# shellcheck source=lib.sh
. /mnt/lib.sh

kernel=$(dpkg-deb -f "$(ls /mnt/debian/linux-image-[0-9]*.deb)" Package | sed s/linux-image-//)

kernel_comes() { apt_install /mnt/debian/*.deb; }

# How many functions of the kernel.
is_attached() { grep -c '\[tkhooks\]' /sys/kernel/tracing/enabled_functions; }

# tkhooks is the first of them, and goes with the last of the others.
unloads_all() {
	modprobe -r "${modules[@]:1}" && ! grep -q tkhooks /proc/modules && ! is_attached
}

# It has no line for tkhooks, which is no feature.
status_shows_them() {
	tkctl status
	[[ $(tkctl status --json | grep -c '"state": "loaded"') == $((${#modules[@]} - 1)) ]]
}

bt_sched_isnt_there() { ! modprobe bt_sched_shim; }

removes() { apt-get purge -y 'tkernel-rs*' 'linux-headers-*-rust'; }

case $part in
0)
	result "Debian's newer kernel can be installed" kernel_comes
	boot_next 1
	;;
1)
	result "Debian's own kernel of that version runs" runs "$kernel"
	prepare
	result "apt installs the packages from a directory" installs
	result "DKMS has built tkhooks and what it has the hooks for" built_for "$kernel"
	result "modprobe loads each module" load_each
	result "functions of the kernel are attached to" is_attached
	result "ttools protects" uses_ttools
	result "pclimit limits" uses_pclimit
	result "cgroup_isolation shows a container its memory" uses_cgroup_isolation
	result "udev has the device" device_is_udevs
	result "tkctl status shows them" status_shows_them
	tkctl status | sed 's/^/# /'
	result "the modules are signed with DKMS's key" modinfo -F signer tkhooks
	result "bt_sched_shim wasn't built" bt_sched_isnt_there
	result "all are unloaded, and nothing is attached to" unloads_all
	result "all is removed, without a reboot" removes
	result "nothing is left" nothing_is_left
	echo "1..$count"
	systemctl poweroff
	;;
esac
