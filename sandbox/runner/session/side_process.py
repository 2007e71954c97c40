"""Run slow or unsafe work on a branch's files in a separate process, so that the supervisor never waits for it.

The process is trusted code that acts with the branch's uid as its effective uid. Even if it follows a malicious path or
link, it can reach only files that the branch itself can reach. Its real uid stays root, so the branch's processes can
neither signal nor inspect it, and killing all processes of a uid does not end it.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from sandbox.runner import frames
from sandbox.runner.supervisor import process_tree
from sandbox.runner.zygote import confinement

MAX_RESULT_BYTES = 16 << 20


class SideResult(NamedTuple):
    """The outcome of a side process: its value, or the error that ended it."""

    value: Any = None
    error: str = ""
    missing: bool = False  # because a file does not exist


class SideProcess:
    """One running side process. `finish` is called with its result when the supervisor reaps it."""

    def __init__(self, work: Callable[[], Any], uid: int | None, finish: Callable[[SideResult], None]) -> None:
        self._result = os.memfd_create("result", os.MFD_CLOEXEC)
        self._ended = False
        self.uid = uid
        self.finish = finish
        self.pid = os.fork()
        if self.pid == 0:
            self._run(work, uid)

    def _run(self, work: Callable[[], Any], uid: int | None) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            confinement.raise_oom_score()
            if uid is not None:
                os.setgroups([])
                os.setegid(uid)
                os.seteuid(uid)
            frames.write_all(self._result, json.dumps({"value": work()}).encode())
            code = 0
        except BaseException as error:  # noqa: BLE001 - the process boundary
            message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            missing = isinstance(error, FileNotFoundError)
            found = {"error": message or type(error).__name__, "missing": missing}
            frames.write_all(self._result, json.dumps(found).encode())
        finally:
            os._exit(code)

    def stop(self) -> None:
        """Kill the process if it has not been reaped; `finish` then gets an error unless the work is already done."""
        if not self._ended:
            process_tree.kill(self.pid)

    def collect(self) -> SideResult:
        """Return the result of the reaped process and close its memfd."""
        self._ended = True
        try:
            text = frames.read_memory_file(self._result, MAX_RESULT_BYTES)
            return SideResult(**json.loads(text))
        except (OSError, ValueError, TypeError):
            return SideResult(error="the file operation was killed")


# Starts a side process that does `work` with the effective uid, or as root; the last argument is its `finish`.
RunSideProcess = Callable[[Callable[[], Any], int | None, Callable[[SideResult], None]], SideProcess]
