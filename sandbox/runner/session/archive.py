"""Save a branch's work directory to a tar archive, and restore it. Both run in a side process with the branch's uid."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from sandbox.runner import frames
from sandbox.runner.session.branch_files import clear_work, open_directory, require_size, split_path

COPY_BYTES = 1 << 20


class LimitedFile:
    """A file that tarfile writes an archive to. Raises OSError before the archive exceeds `max_bytes`."""

    def __init__(self, target: int, max_bytes: int) -> None:
        self._target = target
        self._max_bytes = max_bytes
        self._size = 0

    def write(self, content: bytes) -> int:
        require_size("the archive", self._size + len(content), self._max_bytes, exact=False)
        frames.write_all(self._target, content)
        self._size += len(content)
        return len(content)

    def tell(self) -> int:
        return self._size


def write_archive(root: str, target: int, max_bytes: int) -> int:
    """Write a tar archive of the work directory to the memfd `target`; return its size in bytes. Skip sockets.

    Raises OSError if the archive is larger than `max_bytes`. The sizes of the files are summed first, because reading
    the hole of a file can take forever.
    """
    import tarfile  # costs 3 MB, so only this side process pays for it

    require_size("the files together", sum(_list_sizes(root)), max_bytes)
    file: Any = LimitedFile(target, max_bytes)
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.add(root, arcname=".")
    return int(file.tell())


def _list_sizes(root: str) -> Iterator[int]:
    """Yield the size in bytes of each regular file. A file with several hard links counts once, as in an archive."""
    seen: set[tuple[int, int]] = set()
    for _, _, names, directory in os.fwalk(root):
        for name in names:
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:  # deleted in the meantime
                continue
            if stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                yield status.st_size


def restore_archive(root: str, source: int, max_bytes: int) -> int:
    """Replace the content of the work directory with that of an archive.

    Return the number of files, directories and links.

    Raises ValueError if a member is outside the directory, and OSError if the files together are larger than
    `max_bytes`.
    """
    import tarfile

    clear_work(root)
    count = total = 0
    directories: list[tuple[list[str], int]] = []
    with os.fdopen(os.dup(source), "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            names = split_path(member.name)
            if not names:
                continue
            total += member.size
            require_size("the files together", total, max_bytes, exact=False)
            _restore_member(root, archive, member, names)
            if member.isdir():
                directories.append((names, member.mode))
            count += 1
    for names, mode in reversed(directories):  # last, because a directory may be read-only
        with open_directory(root, names) as directory:
            os.fchmod(directory, stat.S_IMODE(mode) & 0o777)
    return count


def _restore_member(root: str, archive: Any, member: Any, names: list[str]) -> None:
    parents, name = names[:-1], names[-1]
    with open_directory(root, parents, create=True) as directory:
        if member.isdir():
            with open_directory(root, names, create=True):
                return
        if member.issym():
            os.symlink(member.linkname, name, dir_fd=directory)
        elif member.islnk():
            *target_parents, target = split_path(member.linkname)
            with open_directory(root, target_parents) as other:
                os.link(target, name, src_dir_fd=other, dst_dir_fd=directory, follow_symlinks=False)
        elif member.isreg():
            content = archive.extractfile(member)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o600, dir_fd=directory)
            with os.fdopen(descriptor, "wb") as target_file:
                while content is not None and (chunk := content.read(COPY_BYTES)):
                    target_file.write(chunk)
                os.fchmod(descriptor, stat.S_IMODE(member.mode) & 0o777)
            os.utime(name, (member.mtime, member.mtime), dir_fd=directory, follow_symlinks=False)
