# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Packages that aren't made by debhelper, of a kernel's files; to be sourced after
# common.sh. They are put together in $work, and go to $out; $changes is the line of
# their changelog.

# shellcheck disable=SC2154 # variables of common.sh, $work, $out and $changes

checkout=$(dirname "$here")
debian=$checkout/packaging/debian

# Debian's version of the source, ours, and which build of it: a later one of
# the same kernel replaces an earlier one.
changelog_field() { "$here/in-root" dpkg-parsechangelog -l "$debian/changelog" -S "$1"; }
source=$("$here/source.sh" 7.3)
version=${source##*/source-}+tk$(changelog_field Version)${TKERNEL_REVISION:+.$TKERNEL_REVISION}
SOURCE_DATE_EPOCH=$(changelog_field Timestamp)
export SOURCE_DATE_EPOCH
maintainer=$(changelog_field Maintainer)

# Tests needn't be small, but soon.
compression=(-Zxz -z3)
[[ ${DEB_COMPRESSION:-} != none ]] || compression=(-Znone)

# control PACKAGE LINES…: DEBIAN/control, from fields that all share and LINES.
control() {
	local package=$1
	shift
	mkdir -p "$work/$package/DEBIAN"
	cat >"$work/$package/DEBIAN/control" <<-END
		Package: $package
		Source: linux-tk
		Version: $version
		Architecture: amd64
		Maintainer: $maintainer
		Section: kernel
		Priority: optional
		Installed-Size: $(du -sk "$work/$package" | cut -f1)
		$(printf '%s\n' "$@")
	END
}

# pack PACKAGE: what Debian wants in each, and the package itself.
pack() {
	local doc=$work/$1/usr/share/doc/$1
	mkdir -p "$doc"
	cp "$checkout/packaging/kernel/copyright" "$doc/"
	cat >"$doc/changelog.Debian" <<-END
		linux-tk ($version) $suite; urgency=medium

		  * $changes

		 -- $maintainer  $(changelog_field Date)
	END
	gzip -9n "$doc/changelog.Debian"
	(cd "$work/$1" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z |
		xargs -0r md5sum >DEBIAN/md5sums)
	chmod -R u=rwX,go=rX "$work/$1"
	# But where the kernel's functions are is for root.
	find "$work/$1" -path '*/boot/System.map-*' -exec chmod 600 {} +
	"$here/in-root" dpkg-deb --root-owner-group "${compression[@]}" --build "$work/$1" "$out" >&2
}
