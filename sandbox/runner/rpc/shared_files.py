"""Share the temporary files of a test with its program, which runs in another box.

A folder directly beneath `/tmp`, such as one created by `tempfile` or by pytest for a test, is shared from the first
request of the test that names a path in it. Each side sends the changes in shared folders with its next message, and
the other side applies them before it reads the message. The test decides which folders are shared (`test_files`).

The program may send anything, so the test trusts little of it. It applies changes only to regular files and folders
inside the shared folders, and never through a symbolic link. Nothing else in the test's box is read or written for the
program.
"""

from __future__ import annotations

import json
import stat
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from os import fsencode, makedirs, path, stat_result
from time import time_ns
from typing import Any, NamedTuple

from sandbox.runner.rpc.temporary_files import (
    list_entries,
    open_parent,
    read_content,
    read_status,
    remove,
    write_file,
)

MAX_FILES = 1_000  # including folders
MAX_BYTES = 16 << 20
MAX_PATH_CHARS = 4_096
TOO_MANY = f"more than {MAX_FILES:,} files or {MAX_BYTES >> 20} MiB"
CLOCK_STEP_NS = 50_000_000  # a file system's clock may stand still for this long
MAX_TIME_NS = 1 << 62
FileChanges = dict[str, Any]


class ChangeRefused(ValueError):
    """Raised for a change that the other side is not allowed to make."""


class TooManyFiles(Exception):
    """Raised if the shared folders hold more than the limits allow."""


class FileState(NamedTuple):
    """The state of a file as both sides last knew it.

    `is_settled` is True if any later write must change `identity`.
    """

    identity: tuple[int, ...]
    mode: int
    modified_ns: int
    size: int
    digest: int
    is_settled: bool

    def is_like(self, other: FileState) -> bool:
        if stat.S_ISDIR(self.mode):
            return stat.S_ISDIR(other.mode)
        return self.mode == other.mode and self.modified_ns == other.modified_ns and self.digest == other.digest


class SharedFiles:
    """One side's copy of the shared folders.

    The program's side uses this class directly, and the test tells it which folders are shared. The test's side uses a
    subclass.
    """

    def __init__(self) -> None:
        self.folders: list[str] = []
        self._states: dict[str, FileState] = {}
        self._received_files: set[str] = set()  # files whose content came from the other side
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Return the number of shared files."""
        return len(self._states)

    def note_message(self, line: bytes, message: Any) -> None:
        """Inspect a message of the other side. Only the test's side does so."""

    def attach_to_request(self, line: bytes) -> bytes:
        """Add changes to a request, like `attach`. Only the test's requests determine the shared folders."""
        return self.attach(line)

    def attach(self, line: bytes, has_new_folders: bool = False) -> bytes:
        """Add the changes in the shared folders to a message. `has_new_folders` also sends the list of folders."""
        if not self.folders:
            return line
        with self._lock:
            try:
                files = self._collect_changes()
            except TooManyFiles:
                files = self._refuse_changes()
            if has_new_folders:
                files["folders"] = self.folders
            if not files:
                return line
            return line[:-2] + b',"files":' + json.dumps(files, separators=(",", ":")).encode() + b"}\n"

    def _refuse_changes(self) -> FileChanges:
        return {"refused": True}

    def apply(self, files: Any) -> None:
        """Apply the changes that came with a message. Raises ChangeRefused."""
        with self._lock:
            if "folders" in files:
                self._set_folders(files["folders"])
                for folder in self.folders:
                    with suppress(OSError):  # a folder that cannot be created is simply missing for the program
                        makedirs(path.dirname(folder), 0o700, exist_ok=True)
            self._apply(files)

    def _set_folders(self, folders: list[str]) -> None:
        self.folders = folders
        self._states = {name: seen for name, seen in self._states.items() if self._find_folder(name)}
        self._received_files.intersection_update(self._states)

    def _find_folder(self, name: str) -> str:
        """Return the shared folder that a path names or is inside of; return an empty string if there is none."""
        return next((one for one in self.folders if name == one or name.startswith(f"{one}/")), "")

    # Changes made by this side.

    def _collect_changes(self) -> FileChanges:
        found = self._scan()
        gone = [
            name for name, seen in self._states.items() if _get_file_type(found.get(name)) != stat.S_IFMT(seen.mode)
        ]
        for name in gone:
            del self._states[name]
            self._received_files.discard(name)
        changed = [entry for name, status in found.items() if (entry := self._encode_change(name, status)) is not None]
        return {key: value for key, value in (("gone", gone), ("changed", changed)) if value}

    def _encode_change(self, name: str, status: stat_result) -> list[Any] | None:
        """Return the change to send for a file, or None if the file is unchanged."""
        before = self._states.get(name)
        if before is not None and before.is_settled and before.identity == _get_identity(status):
            return None
        content = b"" if stat.S_ISDIR(status.st_mode) else read_content(name, status.st_size)
        self._states[name] = now = _capture_state(status, content)
        if before is not None and now.is_like(before):
            return None
        if stat.S_ISDIR(status.st_mode):
            return [name, None]
        return [name, b64encode(content).decode(), stat.S_IMODE(status.st_mode) & 0o777, status.st_mtime_ns]

    def _scan(self) -> dict[str, stat_result]:
        """Return the status of each file and folder in the shared folders, by path. A folder precedes its content.

        Raises TooManyFiles.
        """
        found: dict[str, stat_result] = {}
        size = 0
        waiting = [*self.folders]
        while waiting:
            name = waiting.pop()
            status = read_status(name)
            if status is None:
                continue
            found[name] = status
            if stat.S_ISDIR(status.st_mode):
                waiting += [f"{name}/{entry}" for entry in list_entries(name)]
            else:
                size += status.st_size
            if len(found) > MAX_FILES or size > MAX_BYTES:
                raise TooManyFiles
        return found

    # Changes made by the other side.

    def _apply(self, files: Any) -> None:
        try:
            if "refused" in files:
                raise ValueError(TOO_MANY)
            gone = [self._check_path(name) for name in files.get("gone", ())]
            changed = [self._check_entry(*entry) for entry in files.get("changed", ())]
        except (TypeError, ValueError, AttributeError) as error:
            raise ChangeRefused(str(error)) from error
        sizes = {name: seen.size for name, seen in self._states.items()}
        for name in gone:
            sizes.pop(name, None)
        sizes.update((name, len(content or b"")) for name, content, _, _ in changed)
        if len(sizes) > MAX_FILES or sum(sizes.values()) > MAX_BYTES:
            raise ChangeRefused(TOO_MANY)
        for name in sorted(gone, reverse=True):
            self._states.pop(name, None)
            self._received_files.discard(name)
            self._change_file(remove, name)
        for name, content, mode, modified_ns in changed:
            status = self._change_file(write_file, name, content, mode, modified_ns)
            if status is not None:
                self._states[name] = _capture_state(status, content or b"")
                self._received_files.add(name)

    def _change_file(self, change: Callable[..., Any], name: str, *content: Any) -> Any:
        """Apply a change to a file or folder beneath the root.

        Return None if that is impossible, for example because a parent folder is a symbolic link.
        """
        try:
            with open_parent(name) as parent:
                return change(parent, path.basename(name), *content)
        except OSError:
            return None

    def _check_path(self, name: Any) -> str:
        if type(name) is not str or len(name) > MAX_PATH_CHARS or not self._find_folder(name):
            raise ValueError("the path is outside the shared folders")
        if not {"", ".", ".."}.isdisjoint(name.split("/")[1:]) or b"\0" in fsencode(name):
            raise ValueError("the path contains '.', '..', an empty part or a NUL")
        return name

    def _check_entry(
        self, name: Any, content: Any, mode: Any = 0, modified_ns: Any = 0
    ) -> tuple[str, bytes | None, int, int]:
        if type(mode) is not int or type(modified_ns) is not int or not 0 <= modified_ns < MAX_TIME_NS:
            raise ValueError("invalid mode or modification time")
        return self._check_path(name), None if content is None else b64decode(content), mode & 0o777, modified_ns


def _get_file_type(status: stat_result | None) -> int:
    return 0 if status is None else stat.S_IFMT(status.st_mode)


def _get_identity(status: stat_result) -> tuple[int, ...]:
    return (status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _capture_state(status: stat_result, content: bytes) -> FileState:
    settled = stat.S_ISDIR(status.st_mode) or status.st_ctime_ns < time_ns() - CLOCK_STEP_NS
    return FileState(_get_identity(status), status.st_mode, status.st_mtime_ns, len(content), hash(content), settled)
