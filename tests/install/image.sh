#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Makes the disk of a Debian machine with systemd, GRUB and Debian's own kernel,
# unless the cache has it, and prints its path. Once booted it runs `run` from the
# file system that is labelled tktest, on its console, and that's all it does for us.

set -euo pipefail
. "$(dirname "$0")/../../build/common.sh"

list=$(dirname "$0")/packages

# mmdebstrap runs hooks with the new root as $1. The first partition begins after
# 1 MiB; GRUB's loader lies between.
# shellcheck disable=SC2016
setup='
	set -e
	echo tkernel >"$1/etc/hostname"
	echo "127.0.0.1 localhost tkernel" >"$1/etc/hosts"
	echo "/dev/vda1 / ext4 errors=remount-ro 0 1" >"$1/etc/fstab"
	cat >"$1/etc/default/grub" <<-END
		GRUB_DEFAULT=0
		GRUB_TIMEOUT=0
		GRUB_CMDLINE_LINUX="console=ttyS0"
		GRUB_TERMINAL=serial
		GRUB_DISABLE_OS_PROBER=true
		GRUB_DISABLE_LINUX_UUID=true
	END
	cat >"$1/etc/systemd/system/tktest.service" <<-END
		[Unit]
		Description=Test of the packages
		After=multi-user.target
		ConditionPathExists=/dev/disk/by-label/tktest
		[Service]
		Type=oneshot
		StandardOutput=tty
		StandardError=tty
		TTYPath=/dev/ttyS0
		ExecStartPre=mount -o ro,X-mount.mkdir -L tktest /mnt
		ExecStart=/mnt/run
		[Install]
		WantedBy=multi-user.target
	END
	mkdir -p "$1/etc/systemd/system/multi-user.target.wants" "$1/boot/grub"
	ln -s ../tktest.service "$1/etc/systemd/system/multi-user.target.wants/"
	cat >"$1/boot/grub/grub.cfg" <<-END
		serial
		terminal_output serial
		linux /vmlinuz root=/dev/vda1 ro console=ttyS0
		initrd /initrd.img
		boot
	END
	mkdir "$1/boot/grub/i386-pc"
	cp "$1"/usr/lib/grub/i386-pc/*.mod "$1"/usr/lib/grub/i386-pc/*.lst "$1/boot/grub/i386-pc/"
	chroot "$1" grub-mkimage -O i386-pc -o /tmp/core.img -p "(hd0,msdos1)/boot/grub" \
		biosdisk part_msdos ext2 linux normal serial configfile
	cp "$1/tmp/core.img" "$1/usr/lib/grub/i386-pc/boot.img" '

# shellcheck disable=SC2016 # the hook's
make_disk() {
	debian_to "$work/root.tar" "$list" "$suite" --variant=important \
		--customize-hook="$setup $(printf %q "$work")" --customize-hook='rm "$1/tmp/core.img"' &&
		truncate -s 12G "$work/disk" &&
		"$here/in-root" mke2fs -q -t ext4 -m 0 -E root_owner=0:0,offset=1048576 \
			-d "$work/root.tar" "$work/disk" 12570624k &&
		"$here/in-root" sfdisk -q --no-tell-kernel "$work/disk" <<<'start=2048, type=83, bootable' &&
		# The partition table begins at 446, and the loader's first sector is 1.
		dd if="$work/boot.img" of="$work/disk" bs=440 count=1 conv=notrunc status=none &&
		dd if="$work/core.img" of="$work/disk" seek=1 conv=notrunc status=none
}

image_entry install 1 "$list" "the disk of a Debian $suite machine, about 4 minutes" make_disk
echo "$entry/disk"
