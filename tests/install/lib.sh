# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the parts of a test on an installed machine have in common: /mnt/lib.sh on the
# test disk, to be sourced first.

set -u
# The first serial port is the system's console.
exec >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 -opost
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
state=/var/lib/tktest
log=/run/tktest.log
mkdir -p $state
cd / || exit
part=$(cat $state/part 2>/dev/null || echo 0)
count=$(cat $state/count 2>/dev/null || echo 0)
dmesg -n 1

# result NAME COMMAND…: passes if the command does; else shows what it printed.
result() {
	local name=$1 start=$SECONDS
	shift
	count=$((count + 1))
	if "$@" >$log 2>&1; then
		echo "ok $count - $name ($((SECONDS - start)) s)"
	else
		echo "not ok $count - $name"
		sed 's/^/# /' $log
	fi
}

# boot_next PART
boot_next() {
	echo "$1" >$state/part
	echo "$count" >$state/count
	sync
	systemctl reboot
	exit
}

read -ra modules </mnt/modules

# DKMS's key is its own.
installed() {
	find /boot /etc /home /opt /root /srv /usr /var/lib/dkms /vmlinuz* /initrd.img* |
		grep -v '^/var/lib/dkms/mok\.' | sort
}

apt_install() { apt-get install -y "$@"; }

# DKMS has built all modules for a kernel.
built_for() {
	local module
	dkms status -k "$1" | tee /dev/stderr | grep "^tkernel-rs.*: installed" || return
	for module in "${modules[@]}"; do
		modinfo -k "$1" -n "$module" | grep updates || return
	done
}

load_each() {
	local module
	for module in "${modules[@]}"; do modprobe "$module" || return; done
}

uses_ttools() {
	local status
	tkctl protect -- sleep 1000 &
	while [[ $(cat /proc/$!/comm) != sleep ]]; do sleep 0.1; done
	head -c 1 /proc/$!/environ
	status=$?
	kill $!
	((status == 1))
}

uses_pclimit() {
	tkctl pagecache set 50% && [[ $(sysctl -n vm.pagecache_limit_ratio) == 50 ]] &&
		tkctl pagecache show && tkctl pagecache watch --count 2
}

uses_cgroup_isolation() {
	systemd-run --wait --pipe -p MemoryMax=64M unshare --cgroup grep MemTotal /proc/meminfo |
		tee /dev/stderr | grep ' 65536 kB'
}

device_is_udevs() {
	[[ $(stat -c %a /dev/ttools) == 666 ]] && systemctl is-active dev-ttools.device
}

status_shows_them() {
	tkctl status
	[[ $(tkctl status --json | grep -c '"state": "loaded"') == "${#modules[@]}" ]]
}

runs() { [[ $(uname -r) == "$1" ]]; }

# What is there before, for the end.
prepare() {
	uname -r >$state/stock
	installed >$state/before
}

installs() {
	apt_install /mnt/one/*.deb >$state/install.log 2>&1
	local status=$?
	cat $state/install.log
	return $status
}

nothing_is_left() {
	diff $state/before <(installed) &&
		! dkms status | grep tkernel &&
		! dpkg-query -W -f '${Package}\n' | grep -E 'tkernel|-tk$'
}

echo "# part $part on $(uname -r)"
