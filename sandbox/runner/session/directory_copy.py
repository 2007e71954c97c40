"""Copy a branch's directory for a fork. The copy runs as root, but does not trust the directory's content.

The source may change during the copy. Directories and files are therefore opened relative to their parent and without
following links, and only those that the branch owns are copied. Programs cannot see the target until the copy is
complete.
"""

from __future__ import annotations

import errno
import os
import stat

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK_BYTES = 1 << 24


class DirectoryCopy:
    """Copies a directory owned by `old_uid` to one owned by `new_uid`. It preserves hard links and skips sockets."""

    def __init__(self, old_uid: int, new_uid: int, group: int) -> None:
        self._old_uid = old_uid
        self._new_uid = new_uid
        self._group = group
        self._linked: dict[tuple[int, int], str] = {}

    def copy(self, source: str, target: str) -> None:
        """Copy everything in `source` to the existing directory `target`. Raises OSError."""
        waiting = [("", os.stat(source, follow_symlinks=False))]
        finished: list[tuple[str, os.stat_result]] = []
        root = os.open(source, _OPEN | os.O_DIRECTORY)
        try:
            while waiting:
                path, status = waiting.pop()
                finished.append((path, status))
                directory = _open_below(root, path)
                try:
                    for name in os.listdir(directory):
                        self._copy_entry(directory, name, f"{path}/{name}", target, waiting)
                except FileNotFoundError:
                    continue
                finally:
                    os.close(directory)
        finally:
            os.close(root)
        for path, status in reversed(finished):
            self._set_attributes(target + path, status)

    def _copy_entry(
        self, directory: int, name: str, path: str, target: str, waiting: list[tuple[str, os.stat_result]]
    ) -> None:
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if status.st_uid != self._old_uid or self._copy_link(status, target + path, target):
                return
            if stat.S_ISDIR(status.st_mode):
                os.mkdir(target + path, 0o700)
                waiting.append((path, status))
            elif stat.S_ISLNK(status.st_mode):
                os.symlink(os.readlink(name, dir_fd=directory), target + path)
                os.chown(target + path, self._new_uid, self._group, follow_symlinks=False)
            elif stat.S_ISREG(status.st_mode):
                self._copy_file(directory, name, target + path)
            elif stat.S_ISFIFO(status.st_mode):
                os.mkfifo(target + path)
                self._set_attributes(target + path, status)
        except FileNotFoundError:  # deleted in the meantime
            return

    def _copy_link(self, status: os.stat_result, path: str, target: str) -> bool:
        """Link `path` to an earlier copy of the same file, if there is one."""
        if status.st_nlink < 2 or stat.S_ISDIR(status.st_mode):
            return False
        identity = (status.st_dev, status.st_ino)
        if identity in self._linked:
            os.link(self._linked[identity], path, follow_symlinks=False)
            return True
        self._linked[identity] = path
        return False

    def _copy_file(self, directory: int, name: str, path: str) -> None:
        source = os.open(name, _OPEN, dir_fd=directory)
        try:
            status = os.fstat(source)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != self._old_uid:
                return
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                _copy_data(source, target, status.st_size)
            finally:
                os.close(target)
            self._set_attributes(path, status)
        finally:
            os.close(source)

    def _set_attributes(self, path: str, status: os.stat_result) -> None:
        """Set the mode and the times, and then the owner.

        The owner comes last because root has no CAP_FOWNER here and may change only its own files.
        """
        os.chmod(path, stat.S_IMODE(status.st_mode) & 0o777)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.chown(path, self._new_uid, self._group)


def _open_below(root: int, path: str) -> int:
    descriptor = os.dup(root)
    for name in path.split("/")[1:]:
        inner = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    return descriptor


def _copy_data(source: int, target: int, size: int) -> None:
    """Copy the data of a file, and keep its holes."""
    os.ftruncate(target, size)
    offset = 0
    while offset < size:
        try:
            offset = os.lseek(source, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        end = min(os.lseek(source, offset, os.SEEK_HOLE), size)
        os.lseek(source, offset, os.SEEK_SET)
        os.lseek(target, offset, os.SEEK_SET)
        while offset < end:
            count = os.sendfile(target, source, None, min(_CHUNK_BYTES, end - offset))
            if not count:
                return
            offset += count
