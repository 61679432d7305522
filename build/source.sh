#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# source.sh [SERIES]: prints the directory that holds Debian's kernel source
# (linux-source-SERIES.tar.xz) and Debian's own configs (config/). What is cached
# is used; else the current version of backports is downloaded and verified by
# a private apt that leaves the machine's alone. TKERNEL_SOURCE_VERSION pins the
# package version. source.sh --newest prints the newest series 7.x that the archive
# has now, its package's version, and a directory with that source. If it has to be
# downloaded for that, nobody else finds it.

set -euo pipefail
. "$(dirname "$0")/common.sh"
. "$here/archive.sh"

series=${1:-7.3}
pinned=${TKERNEL_SOURCE_VERSION:-}

cached() {
	find "$cache" -maxdepth 1 -name "source-${pinned:-$series.*}" | sort -V | tail -n 1
}

newest() {
	local package version dir
	lock source
	work=$cache/source.new
	rm -rf "$work"
	set_up_apt
	with_log "$cache/logs/source.log" apt-get update
	package=$(apt-cache pkgnames linux-source-7. | { grep -xE 'linux-source-7\.[0-9]+' || true; } |
		sort -V | tail -n 1)
	[[ $package ]] || die "the archive has no linux-source-7.x"
	version=$(version_of "$package")
	dir=$cache/source-$version
	[[ -d $dir ]] || dir=$cache/newest-$(echo "$package $version" | content_key)
	if [[ ! -d $dir ]]; then
		say "downloading Debian's $package $version (160 MB)"
		with_log "$cache/logs/source.log" download usr/src "$package=$version"
		mv "$work/usr/src" "$dir"
		prune newest 1
	fi
	rm -rf "$work"
	echo "${package#linux-source-} $version $dir"
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
	with_log "$cache/logs/source.log" apt-get update
	with_log "$cache/logs/source.log" download usr/src "linux-source-$series${pinned:+=$pinned}" \
		"linux-config-$series${pinned:+=$pinned}"
	mv "$work/usr/src/linux-config-$series" "$work/usr/src/config"
	dir=$cache/source-$(dpkg-deb -f "$work"/deb/linux-source-*.deb Version)
	mv "$work/usr/src" "$dir"
	rm -rf "$work"
fi
echo "$dir"
