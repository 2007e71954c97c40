"""Build the file system of a local box: a small mount tree in which nothing of the host is writable.

The tree is built in a new mount namespace and entered with pivot_root. The host's tree is then detached, so no path
leads out of the box. Paths are the same as in a container. Folders of the host are mounted read-only and nosuid.
Writable directories are in memory and have a fixed size.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from pathlib import Path

from sandbox.runner.launcher.plan import MountTree

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16_384, 1 << 18
DETACH = 2
PIVOT_ROOT_CALL_NUMBERS = {"x86_64": 155, "aarch64": 41}
# A mount from outside the user namespace keeps these flags in any case; a remount has to repeat them.
LOCKED_FLAGS = {
    "nosuid": NOSUID,
    "nodev": NODEV,
    "noexec": NOEXEC,
    "noatime": 1024,
    "nodiratime": 2048,
    "relatime": 1 << 21,
}
HOST_FOLDERS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
HOST_ETC_FILES = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d")
DEVICES = ("null", "zero", "full", "random", "urandom")
DEVICE_LINKS = {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
ETC_FILES = {
    "passwd": "root:x:0:0:root:/:/bin/sh\nprogram:x:{uid}:{uid}:program:/box/work:/bin/sh\n",
    "group": "root:x:0:\nprogram:x:{uid}:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "hostname": "box\n",
}
RUNNER_DIR = "/opt/sandbox"
PROC_READ_ONLY = ("sys", "bus", "fs", "irq", "sysrq-trigger")
PROC_HIDDEN = ("kcore", "keys", "latency_stats", "timer_list", "sched_debug", "kallsyms", "kmsg")

_libc = ctypes.PyDLL(None, use_errno=True)


class ProcRefused(OSError):
    """Raised if the kernel refuses to mount /proc for the new pid namespace.

    This happens in most containers, because parts of their own /proc are hidden.
    """


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Call mount(2). Raises OSError."""
    arguments = [os.fsencode(text) if text else None for text in (source, target, kind)]
    if _libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() or None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {kind or source} on {target}: {os.strerror(ctypes.get_errno())}")


def enter_root(root: str, tree: MountTree, uid: int, fresh_proc: bool) -> None:
    """Build the tree over the empty directory `root` and make it the root of this process.

    `uid` is the uid of the programs. The runner is copied, because a mount would reveal its path on the host to
    programs. Raises OSError; the namespace is unusable afterward.
    """
    root = os.path.realpath(root)
    mount("none", "/", flags=REC | PRIVATE)
    mount("tmpfs", root, "tmpfs", NOSUID | NODEV, "mode=755,size=8m,nr_inodes=4096")
    for name in HOST_FOLDERS:
        _bind_host_folder(root, name)
    _create_etc(root, uid)
    _mount_proc(root, fresh_proc)
    _create_devices(root)
    _mount_writable(root, tree.tmpfs_mb)
    for source, target in tree.shown:
        bind_read_only(source, root + target)
    shutil.copytree(tree.runner, root + RUNNER_DIR, copy_function=shutil.copyfile)
    _pivot_root(root)
    mount("none", "/", flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV)


def bind_read_only(source: str, target: str) -> None:
    """Mount a file or folder of the host read-only, with everything mounted beneath it."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).touch()
    mount(source, target, flags=BIND | REC)
    _remount_read_only(target)


def _remount_read_only(target: str) -> None:
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        fields = line.split(" ")
        point = fields[4].encode(errors="surrogateescape").decode("unicode_escape")  # blanks are written as \040
        if point == target or point.startswith(f"{target}/"):
            kept = sum(LOCKED_FLAGS.get(option, 0) for option in set(fields[5].split(",")) - {"nosuid", "nodev"})
            mount("none", point, flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV | kept)


def _bind_host_folder(root: str, name: str) -> None:
    """Mount /usr and similar folders. If /bin is a link into /usr on the host, create the same link here."""
    source, target = f"/{name}", f"{root}/{name}"
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        bind_read_only(source, target)


def _create_etc(root: str, uid: int) -> None:
    os.mkdir(f"{root}/etc")
    for name, content in ETC_FILES.items():
        Path(f"{root}/etc/{name}").write_text(content.format(uid=uid))
    for name in HOST_ETC_FILES:
        if os.path.exists(f"/etc/{name}"):
            bind_read_only(f"/etc/{name}", f"{root}/etc/{name}")


def _mount_proc(root: str, fresh: bool) -> None:
    os.mkdir(f"{root}/proc")
    if not fresh:
        mount("/proc", f"{root}/proc", flags=BIND | REC)
        return
    try:
        mount("proc", f"{root}/proc", "proc", NOSUID | NODEV | NOEXEC)
    except OSError as error:
        raise ProcRefused(error.errno, str(error)) from error
    for name in PROC_READ_ONLY:
        if os.path.exists(f"{root}/proc/{name}"):
            bind_read_only(f"{root}/proc/{name}", f"{root}/proc/{name}")
    for name in PROC_HIDDEN:
        if os.path.exists(f"{root}/proc/{name}"):
            mount("/dev/null", f"{root}/proc/{name}", flags=BIND)


def _create_devices(root: str) -> None:
    os.mkdir(f"{root}/dev")
    for name in DEVICES:
        Path(f"{root}/dev/{name}").touch()
        mount(f"/dev/{name}", f"{root}/dev/{name}", flags=BIND)
    for name, target in DEVICE_LINKS.items():
        os.symlink(f"/proc/self/{target}", f"{root}/dev/{name}")


def _mount_writable(root: str, size_mb: int) -> None:
    os.makedirs(f"{root}/var")
    os.symlink("/tmp", f"{root}/var/tmp")
    for name, mode, flags in (("box", 711, 0), ("tmp", 1777, 0), ("dev/shm", 1777, NOEXEC)):
        os.mkdir(f"{root}/{name}")
        options = f"mode={mode},size={size_mb}m,nr_inodes=65536"
        mount("tmpfs", f"{root}/{name}", "tmpfs", NOSUID | NODEV | flags, options)


def _pivot_root(root: str) -> None:
    """Mount the new root over the old one and detach the old one, as in the last example of pivot_root(2)."""
    os.chdir(root)
    if _libc.syscall(PIVOT_ROOT_CALL_NUMBERS[platform.machine()], b".", b".") != 0 or _libc.umount2(b".", DETACH) != 0:
        raise OSError(ctypes.get_errno(), f"pivot_root: {os.strerror(ctypes.get_errno())}")
    os.chdir("/")
