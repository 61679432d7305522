# SPDX-License-Identifier: GPL-2.0
"""What finds the root disk for a kernel whose driver for it is a module."""

import contextlib
import pathlib
import subprocess
import tempfile

DRIVER = "virtio_blk"

# What the kernel's command line has for its first process is for the one on the disk.
INIT = f"""#!/busybox sh
/busybox mount -t devtmpfs dev /dev
/busybox insmod /{DRIVER}.ko
until /busybox mount -t ext4 /dev/vda /root; do /busybox sleep 0.1; done
exec /busybox switch_root /root /bin/sh "$@"
"""


@contextlib.contextmanager
def of(kernel, image):
    """The archive's path, or None if the driver is in the kernel."""
    module = next((kernel / "mods").rglob(f"{DRIVER}.ko*"), None)
    if not module:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tkernel-initrd-") as name:
        archive, stage = pathlib.Path(name) / "initrd", pathlib.Path(name) / "stage"
        for directory in "dev", "root":
            (stage / directory).mkdir(parents=True)
        (stage / "init").write_text(INIT)
        (stage / "init").chmod(0o755)
        subprocess.run(["debugfs", "-R", f"dump /usr/bin/busybox {stage}/busybox", image],
                       check=True, capture_output=True)
        (stage / "busybox").chmod(0o755)
        with open(stage / f"{DRIVER}.ko", "wb") as file:
            subprocess.run(["xz", "-dc", module] if module.suffix == ".xz" else ["cat", module], stdout=file,
                           check=True)
        files = "\n".join(str(path.relative_to(stage)) for path in stage.rglob("*"))
        with open(archive, "wb") as file:
            subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=stage,
                           input=files.encode(), stdout=file, check=True)
        yield archive
