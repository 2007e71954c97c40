"""Decide which temporary folders a test shares with its program.

A test whose source does not mention temporary files shares no folders. If the program names a folder before the test
does, that folder is never shared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from os import getcwd, geteuid, lstat, path
from typing import Any, NoReturn

from sandbox.runner.rpc.shared_files import MAX_BYTES, MAX_FILES, TOO_MANY, ChangeRefused, FileChanges, SharedFiles
from sandbox.runner.rpc.temporary_files import TEMPORARY_ROOT

MAX_FOLDERS = 16
MAX_NAMED_BY_PROGRAM = 1_000
# A source that contains none of these words shares no files.
TEMPORARY_FILE_NAMES = frozenset({"tmp_path", "tmp_path_factory", "tmpdir", "tmpdir_factory", "tempfile", "tmp"})
_PREFIX = f"{TEMPORARY_ROOT}/".encode()
_PART = rb"""(?:\\u[0-9a-f]{4}|[^\x00-\x20"'\\/:;,=()<>|&*?`])+"""
# A folder's name in a line of JSON, and whether a string begins with it.
_FOLDER = re.compile(rb'("?)%b((?:pytest-of-%b/pytest-%b/)?%b)' % (_PREFIX, _PART, _PART, _PART))
# pytest looks up its marks on each function of the program that a test file imports.
_PYTEST_MARK_LOOKUP = re.compile(rb'\{"do":"getattr","args":\[\{"yours":\d+\},"_pytest\w*"\]\}')
_PURE_VALUE_FIELDS = frozenset(
    {"value", "at", "threads"}
)  # the fields of an answer that consists of a value and changes nothing


class TestFiles(SharedFiles):
    """The test's side of the shared folders. It decides which folders are shared.

    `end_process` ends a test whose program violates the rules, and `end_broken` ends one that cannot run with any
    program.
    """

    __test__ = False

    def __init__(self, end_process: Callable[[str], NoReturn], end_broken: Callable[[str], NoReturn]) -> None:
        super().__init__()
        self._end_process, self._end_broken = end_process, end_broken
        self._private_folders = (getcwd(), path.dirname(path.dirname(path.abspath(__file__))))
        self._named_by_program: set[str] = set()
        self._named_folders: set[str] = set()
        self._noted_paths: list[bytes] = []
        self._is_probed = False  # whether the request comes from pytest
        self._is_influenced = False  # whether the program may have influenced what the test wrote

    def note_path(self, name: Any) -> None:
        """Record a path that the next request refers to but does not contain, such as the path of a `tmpdir` object."""
        if isinstance(name, str):
            self._noted_paths.append(json.dumps(name).encode())

    def note_message(self, line: bytes, message: Any) -> None:
        """Record the folders that a message of the program names, and whether it contains anything but a function."""
        value = message.get("value")
        is_function_only = type(value) is dict and [*value] == ["function"] and _PURE_VALUE_FIELDS.issuperset(message)
        self._is_influenced |= not (is_function_only or self._is_probed)
        if b"\\" in line:  # escapes may hide any text
            try:
                line = json.dumps(message).encode()
            except RecursionError:
                self._end_process("a value is nested too deeply")
        if _PREFIX in line and len(self._named_by_program) < MAX_NAMED_BY_PROGRAM:
            self._named_by_program.update(_decode_folder(name) for _, name in _FOLDER.findall(line))

    def attach_to_request(self, line: bytes) -> bytes:
        """Add changes to a request. Share the folders that the request names, if allowed."""
        self._is_probed = _PYTEST_MARK_LOOKUP.match(line) is not None
        return self.attach(line, self._noted_paths != [] or _PREFIX in line)

    def attach(self, line: bytes, has_new_folders: bool = False) -> bytes:
        return super().attach(line, has_new_folders and self._share_named_folders(line))

    def _share_named_folders(self, line: bytes) -> bool:
        """Share the folders that a request names; return whether there are new ones."""
        mentioned, self._noted_paths = self._noted_paths, []
        with self._lock:
            found = sorted(
                {(_decode_folder(name), bool(quote)) for quote, name in _FOLDER.findall(b" ".join([line, *mentioned]))}
            )
            names = [name for name, is_path in found if self._can_share(name, is_path)]
            new = [name for name in dict.fromkeys(names) if name not in self.folders]
            old = [name for name in self.folders if name not in names]
            if not new:
                return False
            known = sum(seen.size for seen in self._states.values())
            if known > MAX_BYTES // 2 or len(self._states) > MAX_FILES // 2:
                old = []
            named_again = [name for name in self.folders if name in names]
            self._named_folders.update(new)
            self._set_folders([*old, *named_again, *new][-MAX_FOLDERS:])
            return True

    def _can_share(self, folder: str, is_path: bool) -> bool:
        """Return whether to share a folder. If it does not exist yet, it must occur in a string that is a path."""
        if folder in self._named_folders:
            return True
        if folder in self._named_by_program or len(self._named_by_program) >= MAX_NAMED_BY_PROGRAM:
            return False
        parts = folder.split("/")[2:]
        if not {".", ".."}.isdisjoint(parts) or (len(parts) == 1 and parts[0].startswith("pytest-of-")):
            return False
        if any(f"{place}/".startswith(f"{folder}/") for place in self._private_folders):
            return False
        try:
            status = lstat(folder)
        except OSError:
            return is_path
        return status.st_uid == geteuid() and path.realpath(folder) == folder

    def _refuse_changes(self) -> FileChanges:
        """End the test because the shared folders are too large.

        The test counts as broken only if nothing that the program returned or wrote can be the cause.
        """
        end = self._end_process if self._is_influenced or self._received_files else self._end_broken
        end(f"the temporary folders shared between the test and the program hold {TOO_MANY}")

    def apply(self, files: Any) -> None:
        with self._lock:
            try:
                self._apply(files)
            except ChangeRefused as error:
                self._end_process(f"the temporary files of the program: {error}")


def _decode_folder(name: bytes) -> str:
    """Decode a folder found by `_FOLDER`."""
    return f"{TEMPORARY_ROOT}/" + str(json.loads(b'"%b"' % name))
