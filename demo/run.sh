#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds what is missing and runs demo.sh in the virtual machine.

set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../tests/vm/run.sh" vm "$here/demo.sh"
