#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the machine does, one part after each boot: /mnt/run on the test disk. Each
# part's tests are printed as TAP, and it ends in a reboot. one/ and two/ on that
# disk hold the packages of two kernels, and one/ the rest; two/ may be missing.

set -u
# shellcheck source=lib.sh
. /mnt/lib.sh

release() { dpkg-deb -f "$(ls /mnt/"$1"/linux-image-[0-9]*.deb)" Package | sed s/linux-image-//; }
first=$(release one)
second=$first
[[ ! -d /mnt/two ]] || second=$(release two)

declines_debians() { grep "^tkernel-rs: no modules for $(cat $state/stock): this kernel has no hooks.patch" "$1"; }

installs_second() { apt_install /mnt/two/*.deb; }

grub_lists() { grep -c "linux.*/boot/vmlinuz-$1 " /boot/grub/grub.cfg; }

# As when a new version of Debian's kernel comes.
stock_headers_come() {
	dpkg-reconfigure "linux-headers-$(cat $state/stock)" >$state/stock.log 2>&1
	local status=$?
	cat $state/stock.log
	return $status
}

select_stock() {
	local menu entry
	menu=$(sed -n "s/^submenu .*menuentry_id_option '\([^']*\)'.*/\1/p" /boot/grub/grub.cfg)
	entry=$(sed -n "s/.*menuentry_id_option '\(gnulinux-$(cat $state/stock)-advanced[^']*\)'.*/\1/p" /boot/grub/grub.cfg)
	[[ $menu && $entry ]] &&
		sed -i "s/^GRUB_DEFAULT=.*/GRUB_DEFAULT=\"$menu>$entry\"/" /etc/default/grub &&
		update-grub
}

stock_has_nothing() {
	! find "/usr/lib/modules/$(cat $state/stock)/updates" -name '*.ko*' 2>/dev/null | grep .
}

removes() { apt-get purge -y 'tkernel-rs*' 'linux-image-*-tk' 'linux-headers-*-tk'; }

case $part in
0)
	result "Debian's own kernel runs" test ! -e /proc/config.gz
	prepare
	result "apt installs the packages from a directory" installs
	result "DKMS has built all modules for the new kernel" built_for "$first"
	result "DKMS declines Debian's kernel in one sentence" declines_debians $state/install.log
	result "Debian's kernel got no modules" stock_has_nothing
	result "GRUB has the new kernel" grub_lists "$first"
	result "GRUB has Debian's kernel" grub_lists "$(cat $state/stock)"
	boot_next 1
	;;
1)
	result "the new kernel runs" runs "$first"
	result "modprobe loads each module" load_each
	result "ttools protects" uses_ttools
	result "pclimit limits" uses_pclimit
	result "cgroup_isolation shows a container its memory" uses_cgroup_isolation
	result "udev has the device" device_is_udevs
	result "tkctl status shows them" status_shows_them
	tkctl status | sed 's/^/# /'
	result "the modules are signed with DKMS's key" modinfo -F signer ttools
	if [[ $second == "$first" ]]; then
		count=$((count + 1))
		echo "ok $count - a second kernel is installed # SKIP there is none"
	else
		result "a second kernel is installed" installs_second
	fi
	boot_next 2
	;;
2)
	result "the newest kernel runs" runs "$second"
	result "its modules are there" load_each
	result "tkctl status shows them" status_shows_them
	result "headers of Debian's kernel come" stock_headers_come
	result "DKMS declines them in one sentence" declines_debians $state/stock.log
	result "GRUB can be told to boot Debian's kernel" select_stock
	boot_next 3
	;;
3)
	result "Debian's kernel runs" runs "$(cat $state/stock)"
	result "all is removed" removes
	boot_next 4
	;;
4)
	result "Debian's kernel runs after all is removed" runs "$(cat $state/stock)"
	result "nothing is left" nothing_is_left
	echo "1..$count"
	systemctl poweroff
	;;
esac
