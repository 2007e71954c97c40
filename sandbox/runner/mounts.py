"""The file system of a local box: a small tree of its own in which nothing of the host can be written.

Built in a fresh mount namespace, entered with pivot_root, the host's tree then detached: what is not shown here
cannot be named any more. Paths are those of a container. Everything shown of the host is read-only, without set-uid
programs; what is writable lives in memory and has a size.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
from pathlib import Path
from typing import Any

RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16_384, 1 << 18
DETACH = 2
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
# A mount that came from outside a user namespace keeps these whatever we ask; a remount has to name them again.
KEPT_FLAGS = {
    "nosuid": NOSUID,
    "nodev": NODEV,
    "noexec": NOEXEC,
    "noatime": 1024,
    "nodiratime": 2048,
    "relatime": 1 << 21,
}
HOST_FOLDERS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
HOST_SETTINGS = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d")
DEVICES = ("null", "zero", "full", "random", "urandom")
DEVICE_LINKS = {"fd": "fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
SETTINGS = {
    "passwd": "root:x:0:0:root:/:/bin/sh\nprogram:x:{uid}:{uid}:program:/box/work:/bin/sh\n",
    "group": "root:x:0:\nprogram:x:{uid}:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "hostname": "box\n",
}
RUNNER = "/opt/sandbox"
PROC_READ_ONLY = ("sys", "bus", "fs", "irq", "sysrq-trigger")
PROC_HIDDEN = ("kcore", "keys", "latency_stats", "timer_list", "sched_debug", "kallsyms", "kmsg")

_libc = ctypes.PyDLL(None, use_errno=True)


class ProcRefused(OSError):
    """The kernel gives no /proc for the new pid namespace, as in most containers, whose own is partly hidden."""


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). Raises OSError."""
    arguments = [os.fsencode(text) if text else None for text in (source, target, kind)]
    if _libc.mount(*arguments, ctypes.c_ulong(flags), data.encode() or None) != 0:
        raise OSError(ctypes.get_errno(), f"mount {kind or source} on {target}: {os.strerror(ctypes.get_errno())}")


def enter(place: str, tree: dict[str, Any], fresh_proc: bool) -> None:
    """Build the tree over the empty directory `place` and make it the root of this process.

    `tree` names what to show and how large: `uid` of the programs, `tmpfs_mb`, `shown` as [source, target] pairs, and
    the folder `runner`. That one is copied: a mount would tell programs the path that it has on the host.
    Raises OSError; the namespace is of no use then.
    """
    place = os.path.realpath(place)
    mount("none", "/", flags=REC | PRIVATE)
    mount("tmpfs", place, "tmpfs", NOSUID | NODEV, "mode=755,size=8m,nr_inodes=4096")
    for name in HOST_FOLDERS:
        _show_host_folder(place, name)
    _make_settings(place, tree["uid"])
    _make_proc(place, fresh_proc)
    _make_devices(place)
    _make_writable(place, tree["tmpfs_mb"])
    for source, target in tree["shown"]:
        show(source, place + target)
    shutil.copytree(tree["runner"], place + RUNNER, copy_function=shutil.copyfile)
    _pivot(place)
    mount("none", "/", flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV)


def show(source: str, target: str) -> None:
    """Show a file or folder of the host read-only, with everything mounted beneath it."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        Path(target).touch()
    mount(source, target, flags=BIND | REC)
    _make_read_only(target)


def _make_read_only(target: str) -> None:
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        fields = line.split(" ")
        point = fields[4].encode(errors="surrogateescape").decode("unicode_escape")  # blanks are written \040
        if point == target or point.startswith(f"{target}/"):
            kept = sum(KEPT_FLAGS.get(option, 0) for option in set(fields[5].split(",")) - {"nosuid", "nodev"})
            mount("none", point, flags=REMOUNT | BIND | RDONLY | NOSUID | NODEV | kept)


def _show_host_folder(place: str, name: str) -> None:
    """/usr and its kin; where /bin is a link into /usr it becomes one here."""
    source, target = f"/{name}", f"{place}/{name}"
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    elif os.path.isdir(source):
        show(source, target)


def _make_settings(place: str, uid: int) -> None:
    os.mkdir(f"{place}/etc")
    for name, content in SETTINGS.items():
        Path(f"{place}/etc/{name}").write_text(content.format(uid=uid))
    for name in HOST_SETTINGS:
        if os.path.exists(f"/etc/{name}"):
            show(f"/etc/{name}", f"{place}/etc/{name}")


def _make_proc(place: str, fresh: bool) -> None:
    os.mkdir(f"{place}/proc")
    if not fresh:
        mount("/proc", f"{place}/proc", flags=BIND | REC)
        return
    try:
        mount("proc", f"{place}/proc", "proc", NOSUID | NODEV | NOEXEC)
    except OSError as error:
        raise ProcRefused(error.errno, str(error)) from error
    for name in PROC_READ_ONLY:
        if os.path.exists(f"{place}/proc/{name}"):
            show(f"{place}/proc/{name}", f"{place}/proc/{name}")
    for name in PROC_HIDDEN:
        if os.path.exists(f"{place}/proc/{name}"):
            mount("/dev/null", f"{place}/proc/{name}", flags=BIND)


def _make_devices(place: str) -> None:
    os.mkdir(f"{place}/dev")
    for name in DEVICES:
        Path(f"{place}/dev/{name}").touch()
        mount(f"/dev/{name}", f"{place}/dev/{name}", flags=BIND)
    for name, target in DEVICE_LINKS.items():
        os.symlink(f"/proc/self/{target}", f"{place}/dev/{name}")


def _make_writable(place: str, size_mb: int) -> None:
    os.makedirs(f"{place}/var")
    os.symlink("/tmp", f"{place}/var/tmp")
    for name, mode, flags in (("box", 711, 0), ("tmp", 1777, 0), ("dev/shm", 1777, NOEXEC)):
        os.mkdir(f"{place}/{name}")
        options = f"mode={mode},size={size_mb}m,nr_inodes=65536"
        mount("tmpfs", f"{place}/{name}", "tmpfs", NOSUID | NODEV | flags, options)


def _pivot(place: str) -> None:
    """Old and new root on one directory, then the old one, which lies on top, detached: pivot_root(2), last example."""
    os.chdir(place)
    if _libc.syscall(PIVOT_ROOT[platform.machine()], b".", b".") != 0 or _libc.umount2(b".", DETACH) != 0:
        raise OSError(ctypes.get_errno(), f"pivot_root: {os.strerror(ctypes.get_errno())}")
    os.chdir("/")
