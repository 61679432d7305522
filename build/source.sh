#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# source.sh [SERIES]: prints the directory that holds Debian's kernel source
# (linux-source-SERIES.tar.xz) and Debian's own configs (config/). What is cached
# is used; else the current version of backports is downloaded and verified by
# a private apt that leaves the machine's alone. TKERNEL_SOURCE_VERSION pins the
# package version. source.sh --newest prints the newest series 7.x that there is,
# and its package's version.

set -euo pipefail
. "$(dirname "$0")/common.sh"

series=${1:-7.3}
pinned=${TKERNEL_SOURCE_VERSION:-}

cached() {
	find "$cache" -maxdepth 1 -name "source-${pinned:-$series.*}" | sort -V | tail -n 1
}

set_up_apt() {
	mkdir -p "$work"/{state,archives/partial,deb}
	save_apt_settings
	: >"$work/status"
	echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
		"$(debian_mirror) $suite-backports main" >"$work/sources.list"
	cat "$cache/apt.conf" - >"$work/apt.conf" <<-END
		Dir::State "$work/state";
		Dir::State::status "$work/status";
		Dir::Cache "$work";
		Dir::Etc::SourceList "$work/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		APT::Sandbox::User "";
	END
	export APT_CONFIG=$work/apt.conf
}

download() (
	apt-get update &&
		cd "$work/deb" &&
		apt-get download "linux-source-$series${pinned:+=$pinned}" \
			"linux-config-$series${pinned:+=$pinned}"
)

newest() {
	local package
	lock source
	work=$cache/source.new
	rm -rf "$work"
	set_up_apt
	with_log "$cache/logs/source.log" apt-get update
	package=$(apt-cache pkgnames linux-source-7. | grep -xE 'linux-source-7\.[0-9]+' | sort -V | tail -n 1)
	[[ ! $package ]] || apt-cache show --no-all-versions "$package" |
		sed -n "s/^Version: /${package#linux-source-} /p"
	rm -rf "$work"
}

if [[ $series == --newest ]]; then
	newest
	exit
fi

dir=$(cached)
if [[ ! $dir ]]; then
	lock source
	dir=$(cached)
fi
if [[ ! $dir ]]; then
	work=$cache/source.new
	rm -rf "$work"
	set_up_apt
	say "downloading Debian's linux-source-$series${pinned:+ $pinned} (160 MB)"
	with_log "$cache/logs/source.log" download
	for deb in "$work"/deb/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work" ./usr/src
	done
	mv "$work/usr/src/linux-config-$series" "$work/usr/src/config"
	dir=$cache/source-$(dpkg-deb -f "$work"/deb/linux-source-*.deb Version)
	mv "$work/usr/src" "$dir"
	rm -rf "$work"
fi
echo "$dir"
