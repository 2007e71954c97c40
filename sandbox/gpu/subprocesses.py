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
STOP_TIMEOUT_S = 15.0

Process = subprocess.Popen[bytes]


class SubprocessStarter:
    """Starts processes from one thread that lives as long as the worker.

    The kernel sends a parent-death signal when the thread that forked ends, not the process: from a pool's thread it
    would come at any time.
    """

    def __init__(self) -> None:
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
        self._preexec_fn = build_parent_death_hook()

    def start(self, command: Sequence[str], environment: Mapping[str, str], log: Path, directory: Path) -> Process:
        """Start a process in `folder`; what it prints is appended to `log`."""
        return self._starter.submit(self._start_process, list(command), dict(environment), log, directory).result()

    def close(self) -> None:
        self._starter.shutdown()

    def _start_process(self, command: list[str], environment: dict[str, str], log: Path, directory: Path) -> Process:
        directory.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as out:
            return subprocess.Popen(
                command,
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                preexec_fn=self._preexec_fn,
            )


def build_parent_death_hook(death_signal: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """What a child of this process runs before its program, to be sent a signal when the thread that forked it ends."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return in_child


def stop_process(process: Process, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """End a process politely, then not; what is left of its group is killed."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_tail(log: Path, lines: int = 15) -> str:
    """The end of what a process printed."""
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return ""
