# SPDX-License-Identifier: GPL-2.0
"""What mounts the root disk for a kernel whose driver or file system for it is a module."""

import contextlib
import pathlib
import subprocess
import tempfile

MODULES = "virtio_blk", "ext4"

# What the kernel's command line has for its first process is for the one on the disk.
INIT = """#!/busybox sh
/busybox mount -t devtmpfs dev /dev
{}
until /busybox mount -t ext4 /dev/vda /root; do /busybox sleep 0.1; done
exec /busybox switch_root /root /bin/sh "$@"
"""


def _with_what_it_needs(kernel, name):
    """Its file and those of its dependencies, which come first; none if it is in the kernel."""
    # A file's name may have a dash where the module's has an underscore.
    module = next((kernel / "mods").rglob(name.replace("_", "[-_]") + ".ko*"), None)
    if not module:
        return []
    depends = subprocess.run(["modinfo", "-F", "depends", module], check=True, capture_output=True, text=True).stdout
    others = [file for other in depends.strip().split(",") if other for file in _with_what_it_needs(kernel, other)]
    return [*others, module]


@contextlib.contextmanager
def of(kernel, image):
    """The archive's path, or None if all of that is in the kernel."""
    modules = list(dict.fromkeys(file for name in MODULES for file in _with_what_it_needs(kernel, name)))
    if not modules:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="tkernel-initrd-") as name:
        archive, stage = pathlib.Path(name) / "initrd", pathlib.Path(name) / "stage"
        for directory in "dev", "root":
            (stage / directory).mkdir(parents=True)
        loads = "\n".join(f"/busybox insmod /{module.name.removesuffix('.xz')}" for module in modules)
        (stage / "init").write_text(INIT.format(loads))
        (stage / "init").chmod(0o755)
        subprocess.run(["debugfs", "-R", f"dump /usr/bin/busybox {stage}/busybox", image],
                       check=True, capture_output=True)
        (stage / "busybox").chmod(0o755)
        for module in modules:
            with open(stage / module.name.removesuffix(".xz"), "wb") as file:
                subprocess.run(["xz", "-dc", module] if module.suffix == ".xz" else ["cat", module], stdout=file,
                               check=True)
        files = "\n".join(str(path.relative_to(stage)) for path in stage.rglob("*"))
        with open(archive, "wb") as file:
            subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=stage,
                           input=files.encode(), stdout=file, check=True)
        yield archive
