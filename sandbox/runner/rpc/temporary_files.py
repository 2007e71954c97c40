"""Read and write regular files and folders beneath `/tmp` without following symbolic links.

The functions of `os` are saved when this module is imported, because a test may patch them.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from os import (
    O_CLOEXEC,
    O_CREAT,
    O_DIRECTORY,
    O_NOFOLLOW,
    O_NONBLOCK,
    O_RDONLY,
    O_TRUNC,
    O_WRONLY,
    close,
    fchmod,
    fstat,
    listdir,
    lstat,
    mkdir,
    read,
    rmdir,
    stat_result,
    unlink,
    utime,
    write,
)
from os import open as open_file
from os import stat as stat_file

TEMPORARY_ROOT = "/tmp"


def read_status(name: str) -> stat_result | None:
    """Return the status of a regular file or a folder, or None for anything else."""
    try:
        status = lstat(name)
    except OSError:
        return None
    return status if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode) else None


def list_entries(folder: str) -> list[str]:
    try:
        return sorted(listdir(folder), reverse=True)
    except OSError:
        return []


def read_content(name: str, size: int) -> bytes:
    """Return the content of a file; empty if it cannot be read."""
    try:
        descriptor = open_file(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while size > 0 and (part := read(descriptor, size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        close(descriptor)


@contextmanager
def open_parent(name: str) -> Iterator[int]:
    """Open the parent folder of a path beneath the root. Raises OSError if the path contains a symbolic link."""
    descriptor = open_file(TEMPORARY_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    try:
        for part in name[len(TEMPORARY_ROOT) + 1 :].split("/")[:-1]:
            # A separate check, because gVisor follows a symbolic link despite O_NOFOLLOW if O_DIRECTORY is set.
            if not stat.S_ISDIR(stat_file(part, dir_fd=descriptor, follow_symlinks=False).st_mode):
                raise NotADirectoryError(part)
            parent = descriptor
            descriptor = open_file(part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, dir_fd=parent)
            close(parent)
        yield descriptor
    finally:
        close(descriptor)


def remove(parent: int, name: str) -> None:
    mode = stat_file(name, dir_fd=parent, follow_symlinks=False).st_mode
    if stat.S_ISDIR(mode):
        rmdir(name, dir_fd=parent)
    elif stat.S_ISREG(mode):
        unlink(name, dir_fd=parent)


def write_file(parent: int, name: str, content: bytes | None, mode: int, modified_ns: int) -> stat_result | None:
    """Write a file, or create a folder if `content` is None; return its status, or None if another kind exists."""
    try:
        before = stat_file(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        before = None
    if before is not None and not (stat.S_ISREG(before.st_mode) or stat.S_ISDIR(before.st_mode)):
        return None
    if content is None:
        if before is None:
            mkdir(name, 0o700, dir_fd=parent)
        status = stat_file(name, dir_fd=parent, follow_symlinks=False)
        return status if stat.S_ISDIR(status.st_mode) else None
    # A hard link may point to a file in a folder that is not shared.
    if before is not None and (before.st_nlink > 1 or not before.st_mode & stat.S_IWUSR):
        remove(parent, name)
    flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
    descriptor = open_file(name, flags, 0o600, dir_fd=parent)
    try:
        view = memoryview(content)
        while view:
            view = view[write(descriptor, view) :]
        fchmod(descriptor, mode)
        utime(descriptor, ns=(modified_ns, modified_ns))
        return fstat(descriptor)
    finally:
        close(descriptor)
