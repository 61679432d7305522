# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the build scripts share; to be sourced. The cache lies outside the
# checkout, so that a fresh clone finds what an earlier one has built. Every
# entry's name ends in a key made of what went into it: an entry never changes.

# shellcheck disable=SC2034 # for the scripts that source this
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${TKERNEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tkernel-rs}
# The Debian release of the build root and of the guest.
suite=trixie
me=$(basename "$0" .sh)
mkdir -p "$cache/locks" "$cache/logs"

say() { echo "$me: $*" >&2; }

die() {
	say "$*"
	exit 1
}

# Key of standard input.
content_key() { sha256sum | cut -c1-12; }

# The names in a package list, one a line.
packages() { sed 's/#.*//' "$1" | xargs -n1; }

# The names of the modules that are for users, one a line, in Kbuild's order.
module_names() {
	sed '/^ifdef/,/^endif/d' "$here/../Kbuild" | sed -n 's/^obj-[^ ]* += \(.*\)\.o$/\1/p'
}

# The same for kernels without the patch.
stock_module_names() {
	sed '/^ifdef/,/^endif/d' "$here/../modules/tkhooks/Kbuild" | sed -n '/^obj-m :=/,/[^\\]$/p' |
		grep -oE '[a-z_]+\.o' | sed 's/\.o$//'
}

# kernel_of FLAVOUR: the directory of a kernel, ours or Debian's own.
kernel_of() {
	case $1 in
	stock | stock-amd64) "$here/stock.sh" "$1" ;;
	*) "$here/kernel.sh" "$1" ;;
	esac
}

# Waits until no other run makes the same kind of entry; lasts until we exit.
lock() {
	exec {lock_fd}>"$cache/locks/$1"
	if ! flock -n "$lock_fd"; then
		say "waiting for another run that holds $cache/locks/$1"
		flock "$lock_fd"
	fi
}

# with_log LOG COMMAND…: output goes to LOG; on stderr a line every 30 s says how
# far it is, and the end of LOG says why it failed.
with_log() {
	local log=$1 start=$SECONDS status=0
	shift
	ticker "$log" >&2 &
	local ticker=$!
	"$@" >"$log" 2>&1 </dev/null || status=$?
	kill "$ticker" 2>/dev/null || true
	wait "$ticker" 2>/dev/null || true
	if ((status)); then
		say "failed after $((SECONDS - start)) s; the end of $log:"
		tail -n 40 "$log" >&2
	fi
	return "$status"
}

ticker() {
	local log=$1 start=$SECONDS timer
	# A read that times out: unlike sleep it leaves no process behind that
	# would hold our caller's pipes open.
	exec {timer}<> <(:)
	while read -rt 30 -u "$timer" || kill -0 $$ 2>/dev/null; do
		say "$((SECONDS - start)) s: $(tail -n 1 "$log" | tr -s '[:space:]' ' ' | cut -c1-60)"
	done
}

# prune KIND N: deletes all but the N entries of a kind that were used last.
prune() {
	find "$cache" -maxdepth 1 -name "$1-????????????" -printf '%T@ %p\n' |
		sort -rn | tail -n "+$(($2 + 1))" | cut -d' ' -f2- | xargs -r -d '\n' rm -rf
}

# need_tool COMMAND PACKAGES…
need_tool() {
	local command=$1
	shift
	command -v "$command" >/dev/null && return
	((EUID == 0)) || die "$command is missing: as root, run 'apt-get install $*' and try again"
	say "installing $*"
	{ apt-get update && apt-get install -y --no-install-recommends "$@"; } >&2 </dev/null ||
		die "$command is missing and 'apt-get install $*' failed"
}

# The Debian mirror that this machine's own apt uses.
debian_mirror() {
	local found
	# Without downloaded indexes apt knows no origin, only addresses.
	found=$(apt-get indextargets --format "\$(REPO_URI)" \
		'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main')
	[[ $found ]] || found=$(apt-get indextargets --format "\$(REPO_URI)" \
		'Created-By: Packages' 'Component: main' | grep -v security || true)
	[[ $found ]] || die "this machine's apt knows no Debian mirror: add one to its sources and try again"
	head -n 1 <<<"$found"
}

# debian_to TAR LIST SUITES [MMDEBSTRAP OPTIONS…]: a Debian root with the packages
# of LIST, as the tar file TAR ("-" is stdout). It is of the first of SUITES.
debian_to() {
	local tar=$1 list=$2 suites=$3 mirror sources=() name
	shift 3
	mirror=$(debian_mirror)
	for name in $suites; do
		sources+=("deb $mirror $name main")
	done
	mmdebstrap --format=tar --include="$(packages "$list" | paste -sd,)" \
		--aptopt="$cache/apt.conf" "$@" "${suites%% *}" "$tar" "${sources[@]}"
}

# debootstrap_to TAR LIST [MMDEBSTRAP OPTIONS…]: a small one, without the files
# nobody reads, and with backports.
debootstrap_to() {
	local tar=$1 list=$2
	shift 2
	debian_to "$tar" "$list" "$suite $suite-backports" --variant=minbase \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		"$@"
}

# image_entry KIND N LIST WHAT COMMAND…: has COMMAND make WHAT in $work, from a tar
# file root.tar there, unless the cache, which keeps N, has it: in $entry.
image_entry() {
	local kind=$1 keep=$2 list=$3 what=$4
	shift 4
	entry=$cache/$kind-$(cat "$0" "$list" | content_key)
	[[ -d $entry ]] || lock "$kind"
	if [[ ! -d $entry ]]; then
		need_tool mmdebstrap mmdebstrap uidmap
		say "making $what, log in $cache/logs/$kind.log"
		save_apt_settings
		work=$cache/$kind.new
		rm -rf "$work"
		mkdir "$work"
		with_log "$cache/logs/$kind.log" "$@"
		rm "$work/root.tar"
		mv "$work" "$entry"
		prune "$kind" "$keep"
	fi
	touch "$entry"
}

# How this machine reaches its mirror (proxies, clock checks) holds for the
# roots' apt as well, which reads none of the machine's files.
save_apt_settings() {
	apt-config dump | grep -E '^Acquire::(https?|Check|Retries)' >"$cache/apt.conf" || true
}
