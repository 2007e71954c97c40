"""Work on the files of one branch, in a side process with the branch's uid.

A path is relative to the work directory. Each of its directories is opened without following symbolic links, so no path
leads outside. The side process is unprivileged: even if a program replaces a directory by a link at the wrong moment,
the process reaches nothing that the branch could not reach itself.
"""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.runner import frames
from sandbox.runner.supervisor.clear_directory import remove_directory, remove_subdirectory

MAX_LISTED_FILES = 10_000
FILE_MODE = 0o644
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}


def split_path(path: str) -> list[str]:
    """Split a relative path into its components. Raises ValueError if the path could lead outside the directory."""
    names = [name for name in path.split("/") if name not in {"", "."}]
    if path.startswith("/") or ".." in names or "\0" in path:
        raise ValueError(f"path {path!r} is not inside the work directory")
    return names


@contextmanager
def open_directory(root: str, names: list[str], create: bool = False) -> Iterator[int]:
    """Open a directory below `root`, and close it at the end of the `with` block."""
    descriptor = os.open(root, _DIRECTORY)
    try:
        for name in names:
            if create:
                try:
                    os.mkdir(name, 0o755, dir_fd=descriptor)
                except FileExistsError:
                    pass
            inner = os.open(name, _DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def put_file(root: str, path: str, content: bytes) -> None:
    """Create or replace a file. Create its parent directories if needed."""
    *parents, name = split_path(path) or [""]
    with open_directory(root, parents, create=True) as directory:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, FILE_MODE, dir_fd=directory)
        try:
            _require_regular(descriptor)
            os.ftruncate(descriptor, 0)
            frames.write_all(descriptor, content)
            os.fchmod(descriptor, FILE_MODE)
        finally:
            os.close(descriptor)


def get_file(root: str, path: str, target: int, max_bytes: int) -> int:
    """Copy a file to the memfd `target`; return its size in bytes.

    Raises OSError if the file cannot be read or is larger than `max_bytes`.
    """
    *parents, name = split_path(path) or [""]
    with open_directory(root, parents) as directory:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=directory)
    try:
        _require_regular(descriptor)
        require_size("the file", os.fstat(descriptor).st_size, max_bytes)
        size = 0
        while chunk := os.read(descriptor, 1 << 20):
            size += len(chunk)
            require_size("the file", size, max_bytes, exact=False)
            frames.write_all(target, chunk)
        return size
    finally:
        os.close(descriptor)


def require_size(what: str, size: int, max_bytes: int, exact: bool = True) -> None:
    """Raise OSError if `size` bytes are more than `max_bytes`. Without `exact`, the true size may be larger."""
    if size > max_bytes:
        least = "" if exact else "at least "
        raise OSError(errno.EFBIG, f"{what}: {least}{size} bytes, the maximum is {max_bytes}")


def _require_regular(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a regular file")


def delete_file(root: str, path: str) -> None:
    """Delete a file, a symbolic link, or a directory with everything in it."""
    *parents, name = split_path(path) or [""]
    with open_directory(root, parents) as directory:
        if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            import shutil  # costs 2 MB, so only this side process pays for it

            _make_writable(name, directory)
            shutil.rmtree(name, dir_fd=directory)
        else:
            os.unlink(name, dir_fd=directory)


def _make_writable(name: str, directory: int) -> None:
    """Change permissions so that the owner can delete everything below a directory."""
    os.chmod(name, 0o700, dir_fd=directory)
    for _, names, _, inner in os.fwalk(name, dir_fd=directory):
        for one in names:
            if stat.S_ISDIR(os.stat(one, dir_fd=inner, follow_symlinks=False).st_mode):
                os.chmod(one, 0o700, dir_fd=inner)


def list_files(root: str, path: str) -> dict[str, Any]:
    """List a directory: path, type, size in bytes, permission bits and modification time of each entry."""
    names = split_path(path)
    found: list[dict[str, Any]] = []
    with open_directory(root, names) as directory, os.scandir(directory) as entries:
        for entry in itertools.islice(entries, MAX_LISTED_FILES):
            status = os.stat(entry.name, dir_fd=directory, follow_symlinks=False)
            found.append(describe_entry("/".join([*names, entry.name]), status))
    found.sort(key=lambda entry: str(entry["path"]))
    return {"files": found, "complete": len(found) < MAX_LISTED_FILES}


def describe_entry(path: str, status: os.stat_result) -> dict[str, Any]:
    """Return the path, type, size in bytes, permission bits and modification time of an entry."""
    return {
        "path": path,
        "type": _TYPES.get(stat.S_IFMT(status.st_mode), "other"),
        "size": status.st_size,
        "mode": stat.S_IMODE(status.st_mode),
        "modified_at": status.st_mtime,
    }


def clear_work(root: str) -> None:
    """Delete everything in the work directory."""
    with open_directory(root, []) as directory:
        names = os.listdir(directory)
    for name in names:
        delete_file(root, name)


def measure_bytes(directory: str, shared: tuple[str, ...], uid: int) -> int:
    """Return the size in bytes of the branch's directory and of its files in shared directories."""
    total = 0
    for place in (directory, *shared):
        for parent, names, files in os.walk(place):
            for name in [*names, *files]:
                try:
                    status = os.lstat(f"{parent}/{name}")
                except OSError:
                    continue
                total += status.st_blocks * 512 if status.st_uid == uid else 0
    return total


def remove_all_files(directory: str, shared: tuple[str, ...], uid: int) -> None:
    """Delete the branch's files in shared directories as the branch's uid, then its own directory as root.

    Raises OSError if a file is left. The box must not be used again in this case.
    """
    failure: OSError | None = None
    try:
        remove_shared_files(shared, uid)
    except OSError as error:
        failure = error
    os.seteuid(0)  # the real uid of a side process stays root
    remove_directory(directory)
    if failure is not None:
        raise failure


def remove_shared_files(shared: tuple[str, ...], uid: int) -> None:
    """Delete the branch's files in shared directories.

    Raises OSError if a file is left. The box must not be used again in this case.
    """
    for place in shared:
        failure: OSError | None = None
        progress = True
        while progress:  # subdirectories move up, so that a deep tree needs several rounds
            progress, failure = _remove_owned_files(place, uid)
        if failure is not None:
            raise failure


def _remove_owned_files(place: str, uid: int) -> tuple[bool, OSError | None]:
    """Delete everything that a uid owns directly in a directory.

    Return whether anything was deleted, and the last error.
    """
    progress, failure = False, None
    for name in os.listdir(place):
        path = f"{place}/{name}"
        try:
            status = os.lstat(path)
            if status.st_uid != uid:
                continue
            if stat.S_ISDIR(status.st_mode):
                remove_subdirectory(path, place)
            else:
                os.unlink(path)
            progress = True
        except FileNotFoundError:
            continue
        except OSError as error:
            failure = error
    return progress, failure
