#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tkctl.sh                 builds tkctl and prints the directory that it is in
# tkctl.sh pages DIR       writes its manual pages and completion into DIR
# tkctl.sh CARGO ARGUMENTS runs cargo on it, such as `test`

set -euo pipefail
. "$(dirname "$0")/common.sh"

checkout=$(dirname "$here")
out=$checkout/out/tkctl
mkdir -p "$out"

# In the crate's directory, where cargo looks for its configuration.
tkctl_cargo() {
	(cd "$checkout/tools/tkctl" &&
		"$here/in-root" env CARGO_HOME="$out/home" CARGO_TARGET_DIR="$out" \
			cargo --locked --quiet "$@")
}

case ${1:-} in
'')
	tkctl_cargo build --release >&2
	echo "$out/release"
	;;
pages) tkctl_cargo run --release --example pages -- "$(realpath -m "$2")" ;;
*) tkctl_cargo "$@" ;;
esac
