#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh FLAVOUR SCRIPT [OPTIONS OF vm.py…]: runs SCRIPT in a guest with that
# kernel, all modules installed and the tests' files in /usr/share/tkernel-rs,
# building whatever is missing. Arguments for SCRIPT may stand behind "--". The
# environment may have VM_CPUS, VM_MEM, VM_ARGS, VM_ICOUNT and VM_TIMEOUT.

set -euo pipefail
. "$(dirname "$0")/../../build/common.sh"

flavour=${1:-}
script=${2:-}
shift 2 || die "usage: run.sh FLAVOUR SCRIPT [OPTIONS OF vm.py…]"
[[ $script ]] || die "which script? SCRIPT=FILE"
[[ -f $script && -r $script ]] || die "there is no file $script"

vm=$(cd "$(dirname "$0")" && pwd)
kernel=$(kernel_of "$flavour")
image=$("$vm/image.sh")
files=$("$vm/files.sh" "$flavour")

options=(--kernel "$kernel" --image "$image" --files "$files")
# Without hooks.patch there is nothing that the modules could be loaded into.
if [[ $flavour != vanilla ]]; then
	modules=$("$here/modules.sh" "$flavour")
	options+=(--modules "$modules")
fi
[[ -z ${VM_CPUS:-} ]] || options+=(--cpus "$VM_CPUS")
[[ -z ${VM_MEM:-} ]] || options+=(--mem "$VM_MEM")
[[ -z ${VM_TIMEOUT:-} ]] || options+=(--timeout "$VM_TIMEOUT")
[[ -z ${VM_ARGS:-} ]] || options+=(--qemu-args="$VM_ARGS")
case ${VM_ICOUNT:-0} in
0) ;;
1) options+=(--icount jump) ;;
wait) options+=(--icount wait) ;;
*) die "VM_ICOUNT is 0, 1 or wait" ;;
esac

arguments=()
while (($#)); do
	[[ $1 != -- ]] || { shift && arguments=("$@") && break; }
	options+=("$1")
	shift
done

exec "$here/in-root" python3 "$vm/vm.py" "${options[@]}" "$script" "${arguments[@]}"
