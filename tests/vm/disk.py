# SPDX-License-Identifier: GPL-2.0
"""The guest's second disk: kernel modules, ours among them, the script and its files."""

import pathlib
import shlex
import shutil
import subprocess
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SIZE = "1G"


def nameless_file():
    """A file that is gone with the last process that has it open, however that ends."""
    return tempfile.TemporaryFile(dir="/var/tmp")


def path_of(file):
    """A path by which a child that inherits `file` can open it."""
    return f"/proc/self/fd/{file.fileno()}"


def _stage_modules(stage, kernel, module_dirs):
    """The kernel's modules and ours as modprobe wants to find them."""
    release = (kernel / "release").read_text().strip()
    shutil.copytree(kernel / "mods/lib/modules", stage / "lib/modules", symlinks=True)
    updates = stage / "lib/modules" / release / "updates"
    updates.mkdir(parents=True)
    for directory in module_dirs:
        for module in sorted(pathlib.Path(directory).rglob("*.ko")):
            # As `make modules_install INSTALL_MOD_STRIP=1` does: half of a module with checkers is
            # what debuggers want, and the guest would read it each time.
            subprocess.run(["strip", "--strip-debug", "-o", updates / module.name, module],
                           check=True)
    subprocess.run(["depmod", "-b", stage, release], check=True)


def _as_root(info):
    info.uid = info.gid = 0
    info.uname = info.gname = "root"
    return info


def make(kernel, module_dirs, files, script, arguments, end, results):
    """Returns the disk as a nameless file. `init` reads what `job` says."""
    with tempfile.TemporaryDirectory(prefix="tkernel-vm-") as stage_name:
        stage = pathlib.Path(stage_name)
        _stage_modules(stage, kernel, module_dirs)

        command = stage / "script" / script.name
        command.parent.mkdir()
        shutil.copy(script, command)
        command.chmod(0o755)
        words = shlex.join([f"/tk/script/{script.name}", *arguments])
        job = stage / "job"
        job.write_text(f"end={shlex.quote(end)}\nresults={results}\nset -- {words}\n")

        tree = tempfile.TemporaryFile()
        with tarfile.open(fileobj=tree, mode="w") as tar:
            tar.add(HERE / "init", "init", filter=_as_root)
            tar.add(job, "job", filter=_as_root)
            tar.add(stage / "script", "script", filter=_as_root)
            tar.add(stage / "lib/modules", "modules", filter=_as_root)
            tar.add(files or command.parent, "files", recursive=bool(files), filter=_as_root)
        # mke2fs opens the file anew, and would miss what is still in our buffer.
        tree.flush()

    disk = nameless_file()
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "root_owner=0:0",
         "-d", path_of(tree), path_of(disk), SIZE],
        pass_fds=[tree.fileno(), disk.fileno()], check=True)
    return disk
