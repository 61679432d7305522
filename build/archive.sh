# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Packages of Debian's backports, by a private apt that leaves the machine's alone
# and verifies what it downloads; to be sourced after common.sh. All is in $work.

# shellcheck disable=SC2154 # variables of common.sh, and $work

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
		APT::Update::Error-Mode "any";
	END
	export APT_CONFIG=$work/apt.conf
}

# version_of PACKAGE: the newest that the archive has.
version_of() { apt-cache show --no-all-versions "$1" | sed -n 's/^Version: //p'; }

# download PATH PACKAGES…: unpacks what they have below PATH into $work.
download() (
	path=$1
	shift
	cd "$work/deb" && apt-get download "$@" || return
	for deb in *.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$work" "./$path" || return
	done
)
