"""Processes of a GPU worker. Each leads its own process group, and none outlives the worker."""

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
    """Starts processes from a single thread that lives as long as the worker.

    The kernel sends the parent-death signal when the forking thread ends, not the process. From a pool thread, that
    could happen at any time.
    """

    def __init__(self) -> None:
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
        self._preexec_fn = build_parent_death_hook()

    def start(self, command: Sequence[str], environment: Mapping[str, str], log: Path, directory: Path) -> Process:
        """Start a process in `directory` and append its output to `log`."""
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
    """Return a function that a child runs before its program.

    It makes the kernel send `death_signal` to the child when the thread that forked it ends.
    """
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def in_child() -> None:
        prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return in_child


def stop_process(process: Process, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Terminate a process, kill it if that takes too long, then kill the rest of its group."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a process's output."""
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return ""
