"""Manage the directories of a box: the loaded program, the work directory of a run, and their cleanup.

The supervisor uses this module only while no process of a program is alive, so no program can change a path at the same
time. The files of the loaded program belong to root and stay the same for all its tests. Each run gets a new directory,
which belongs to the run's uid.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping, Sequence

from sandbox.runner import frames
from sandbox.runner.frames import Span
from sandbox.runner.supervisor.clear_directory import clear_directory, take_ownership

MIB = 1 << 20
REQUEST_ERRNOS = {
    errno.EEXIST,
    errno.EINVAL,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.ENOTDIR,
}


class CleanupFailed(Exception):
    """Raised if something that a program left behind cannot be removed. The box must be replaced."""


class CannotPlaceFiles(Exception):
    """Raised if the run's files cannot be written because of an error in the request. The box is still usable."""


class Workspace:
    """The files of a box. The supervisor owns `root`; `shared_dirs` are world-writable and cleared between runs."""

    def __init__(self, root: str, shared_dirs: Sequence[str]) -> None:
        self._root = root
        self._same_user = False
        self._program = f"{root}/program"
        self.work = f"{root}/work"
        self._shared_dirs = [place for place in shared_dirs if os.path.isdir(place)]
        self._sources: dict[str, bytes] = {}
        self._build_outputs: tuple[str, ...] = ()
        os.makedirs(self._program, mode=0o700, exist_ok=True)
        # no other user may list it; an engine may have mounted it with the mode of the underlying folder
        os.chmod(root, 0o711)

    def load(self, parts: Mapping[str, bytes], build_outputs: Sequence[str] = ()) -> None:
        """Load a new program.

        Every run finds the parts named in `build_outputs` as read-only executables in its directory.
        """
        if self._build_outputs:  # otherwise the directory is empty
            for name in os.listdir(self._program):
                os.unlink(f"{self._program}/{name}")
        self._build_outputs = tuple(build_outputs)
        self._sources = {name: content for name, content in parts.items() if name not in build_outputs}
        for name in build_outputs:
            if name in parts:
                write_file(f"{self._program}/{name}", parts[name], None, 0o755)

    def keep_build_outputs(self, names: Sequence[str]) -> bool:
        """Store the compiler's output files with the program; return False if one is missing or not a regular file."""
        for name in names:
            built = f"{self.work}/{name}"
            try:
                mode = os.lstat(built).st_mode
            except OSError:
                return False
            if not stat.S_ISREG(mode):
                return False
            os.rename(built, f"{self._program}/{name}")
            os.chown(f"{self._program}/{name}", os.geteuid(), os.getegid())
            os.chmod(f"{self._program}/{name}", 0o755)
        return True

    def prepare(self, uid: int | None, files: Mapping[str, bytes | Span], with_build_outputs: bool = True) -> None:
        """Create a new work directory with the files of the program and of the run. Raises CannotPlaceFiles."""
        self._same_user = uid is None
        os.mkdir(self.work, 0o700)
        for name, content in self._sources.items():
            write_file(f"{self.work}/{name}", content, uid)
        if with_build_outputs:
            for name in self._build_outputs:
                if name not in files:
                    os.link(f"{self._program}/{name}", f"{self.work}/{name}")
        for name, part in files.items():
            try:
                create_parents(self.work, name, uid)
                write_file(f"{self.work}/{name}", part, uid)
            except OSError as error:
                if error.errno not in REQUEST_ERRNOS:
                    raise
                raise CannotPlaceFiles(f"files: {name!r}: {error.strerror}") from error
        if uid is not None:
            os.chown(self.work, uid, uid)

    def measure_build_outputs(self) -> int:
        """Return the size in bytes of the program's build outputs, which occupy memory of the box."""
        return sum(
            os.stat(f"{self._program}/{name}").st_size
            for name in self._build_outputs
            if os.path.exists(f"{self._program}/{name}")
        )

    def open_outputs(self, names: Sequence[str], max_mb: int) -> list[tuple[str, int, int]]:
        """Open the named files in the run's directory; return (name, size in bytes, open descriptor) for each.

        Skip files that do not exist or are not regular files. The files returned have a total size of at most `max_mb`
        MiB. They are opened but not read, because the program may have used all the memory that reading them would
        need.
        """
        found: list[tuple[str, int, int]] = []
        left = max_mb * MIB
        for name in names:
            opened = open_beneath(self.work, name, left)
            if opened is not None:
                found.append((name, *opened))
                left -= opened[0]
        return found

    def clear(self) -> None:
        """Remove everything that a run left behind. Raises CleanupFailed if this fails or cannot be verified."""
        try:
            self._clear_work()
            for place in self._shared_dirs:
                clear_directory(place)
            if self._same_user:
                self._check_untouched()
        except OSError as error:
            raise CleanupFailed(str(error)) from error

    def _check_untouched(self) -> None:
        """Check that the supervisor's own folders are unchanged.

        If the host provides no separate uids, programs can write to them.
        """
        for place, known in ((self._root, {"program"}), (self._program, {*self._build_outputs})):
            if not known.issuperset(os.listdir(place)):
                raise CleanupFailed(f"a program wrote into {place}")

    def _clear_work(self) -> None:
        """Remove the work directory.

        If only the program is left, as after most runs, this takes two system calls instead of the twenty of rmtree.
        """
        try:
            for name in (*self._sources, *self._build_outputs):
                os.unlink(f"{self.work}/{name}")
            os.rmdir(self.work)
        except OSError:
            if os.path.exists(self.work):
                take_ownership(self.work)
                clear_directory(self.work)
                os.rmdir(self.work)


def write_file(path: str, content: bytes | Span, uid: int | None, mode: int = 0o644) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        if isinstance(content, Span):
            copy_span(content, descriptor)
        else:
            frames.write_all(descriptor, content)
        if uid is not None:
            os.fchown(descriptor, uid, uid)
    finally:
        os.close(descriptor)


def copy_span(span: Span, target: int) -> None:
    """Copy a part from its memfd to an open file."""
    done = 0
    while done < span.size:
        copied = os.sendfile(target, span.descriptor, span.offset + done, span.size - done)
        if not copied:
            raise frames.FrameError(f"the file is {span.size - done} bytes shorter than announced")
        done += copied


def create_parents(root: str, name: str, uid: int | None) -> None:
    directory = root
    for part in name.split("/")[:-1]:
        directory = f"{directory}/{part}"
        if not os.path.isdir(directory):
            os.mkdir(directory)
            if uid is not None:
                os.chown(directory, uid, uid)


def open_beneath(root: str, name: str, max_bytes: int) -> tuple[int, int] | None:
    """Open a regular file without following symbolic links; return its size in bytes and its descriptor.

    Return None if the file does not exist, is not a regular file, or is larger than `max_bytes`.
    """
    opened = [os.open(root, os.O_RDONLY | os.O_DIRECTORY)]
    try:
        *parents, last = name.split("/")
        for part in parents:
            # A separate check, because gVisor follows a symbolic link despite O_NOFOLLOW if O_DIRECTORY is set.
            if not stat.S_ISDIR(os.stat(part, dir_fd=opened[-1], follow_symlinks=False).st_mode):
                return None
            opened.append(os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        opened.append(os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[-1]))
        status = os.fstat(opened[-1])
        if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
            return None
        return status.st_size, opened.pop()
    except OSError:
        return None
    finally:
        frames.close_descriptors(opened)
