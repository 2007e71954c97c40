"""Serve the requests that work on a branch's files.

Each runs in a side process. Work on single files goes on beside calls. The others need the branch for themselves.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from sandbox.runner import frames
from sandbox.runner.session import archive, branch_files, file_entries
from sandbox.runner.session.branch import Branch
from sandbox.runner.session.replies import Replies
from sandbox.runner.session.side_process import RunSideProcess, SideResult

# requests that work on single files
FILE_REQUESTS = frozenset(
    {"put_file", "get_file", "delete_file", "list_files", "stat_file", "make_directory", "rename_file"}
)
MAX_FILE_BYTES = 64 << 20  # of a file, an archive, or an archive's files, unless the request sets `max_bytes`


class FileOperations:
    """Serves the requests that are named in FILE_REQUESTS, snapshot and restore."""

    def __init__(self, replies: Replies, run: RunSideProcess) -> None:
        self._replies = replies
        self._run_side_process = run

    def begin(self, branch: Branch, request: dict[str, Any], content: bytes) -> bool:
        """Begin a file operation; return False if the request is not one."""
        action, root, path = request["do"], branch.work, request.get("path", "")
        limit = int(request.get("max_bytes", MAX_FILE_BYTES))
        target = -1
        work: Callable[[], Any]
        if action == "put_file":
            work = lambda: branch_files.put_file(root, path, content)  # noqa: E731
        elif action == "delete_file":
            work = lambda: branch_files.delete_file(root, path)  # noqa: E731
        elif action == "list_files":
            work = lambda: branch_files.list_files(root, path)  # noqa: E731
        elif action == "stat_file":
            work = lambda: file_entries.stat_file(root, path)  # noqa: E731
        elif action == "make_directory":
            work = lambda: file_entries.make_directory(root, path)  # noqa: E731
        elif action == "rename_file":
            work = lambda: file_entries.rename_file(root, path, request["target"])  # noqa: E731
        elif action == "get_file":
            target = os.memfd_create("file", os.MFD_CLOEXEC)
            work = lambda: branch_files.get_file(root, path, target, limit)  # noqa: E731
        elif action == "snapshot":
            target = os.memfd_create("archive", os.MFD_CLOEXEC)
            work = lambda: archive.write_archive(root, target, limit)  # noqa: E731
        elif action == "restore":
            source = frames.create_memory_file("archive", content)
            os.lseek(source, 0, os.SEEK_SET)
            self._start(branch, request, lambda: archive.restore_archive(root, source, limit), -1)
            os.close(source)
            return True
        else:
            return False
        self._start(branch, request, work, target)
        return True

    def _start(self, branch: Branch, request: dict[str, Any], work: Callable[[], Any], target: int) -> None:
        is_shared = request["do"] in FILE_REQUESTS
        branch.file_requests += is_shared
        branch.busy = branch.busy or not is_shared

        def finish(result: SideResult) -> None:
            branch.file_requests -= is_shared
            branch.busy = branch.busy and is_shared
            self._answer(request, result, target)

        self._run_side_process(work, branch.uid, finish)

    def _answer(self, request: dict[str, Any], result: SideResult, target: int) -> None:
        header = {"id": request["id"]}
        if result.error:
            if target >= 0:
                os.close(target)
            code = "not_found" if result.missing else "file_error"
            self._replies.send_error(request["id"], code, f"{request['do']}: {result.error}")
        elif target >= 0:
            self._replies.send_file(header, target, result.value)
        elif request["do"] == "list_files":
            self._replies.send(header, body=result.value)
        elif request["do"] == "stat_file":
            self._replies.send(header | {"entry": result.value})
        elif request["do"] == "make_directory":
            self._replies.send(header | {"created": result.value})
        elif request["do"] == "restore":
            self._replies.send(header | {"restored": result.value})
        else:
            self._replies.send(header | {"done": True})
