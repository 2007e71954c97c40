"""Processes that a GPU worker starts: each leads a group of its own, and none outlives the worker."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
STOP_PATIENCE_S = 15.0

Process = subprocess.Popen[bytes]


class Children:
    """Starts processes from one thread that lives as long as the worker.

    The kernel sends a parent-death signal when the thread that forked ends, not the process: from a pool's thread it
    would come at any time.
    """

    def __init__(self) -> None:
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
        self._in_child = ends_with_its_parent()

    def start(self, command: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path) -> Process:
        """Start a process in `folder`; what it prints is appended to `log`."""
        return self._starter.submit(self._start, list(command), dict(environment), log, folder).result()

    def close(self) -> None:
        self._starter.shutdown()

    def _start(self, command: list[str], environment: dict[str, str], log: Path, folder: Path) -> Process:
        folder.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            return subprocess.Popen(
                command,
                env=environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=self._in_child,
            )


def ends_with_its_parent(how: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """What a child of this process runs before its program, to be sent a signal when the thread that forked it ends."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, how, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return in_child


def stop(process: Process, patience_s: float = STOP_PATIENCE_S) -> None:
    """End a process politely, then not; what is left of its group is killed."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def tail(log: Path, lines: int = 15) -> str:
    """The end of what a process printed."""
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return ""
