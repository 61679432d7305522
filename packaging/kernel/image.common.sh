# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034
#
# What the scripts of the image have in common; build/kernel-deb.sh puts it into them.

release=@RELEASE@
image=/boot/vmlinuz-$release

# For the scripts in /etc/kernel: what dpkg calls this for, and that a kernel
# that can load no initial RAM disk needs none.
export DEB_MAINT_PARAMS="$*" INITRD=@INITRD@

kernel_hooks() {
	if [ -d "/etc/kernel/$1" ]; then
		run-parts --report --exit-on-error --arg="$release" --arg="$image" "/etc/kernel/$1"
	fi
}
