"""A supervised process tree: start children in order, restart those that end, and stop all in reverse order.

Theory of operation. The parent only waits for signals, with sigtimedwait, so nothing can interrupt it at an unforeseen
place. Each child leads a session of its own, so Ctrl-C reaches only the parent, and processes that a child leaves
behind are killed through its process group. A child that ends is restarted after a pause, which doubles up to ten
seconds while the child keeps ending. If a child ends before it has ever been ready, the tree stops instead, because the
child was started incorrectly. SIGTERM and SIGINT stop the children in reverse order, all children of one kind together.
Each has time to finish before SIGKILL; a second signal kills them at once. If the parent itself is killed, the kernel
kills the children (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import InfrastructureError

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
HANDLED_SIGNALS = {signal.SIGCHLD, *STOP_SIGNALS}
FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 10.0
STABLE_AFTER_S = 30.0
POLL_INTERVAL_S = 0.5
READY_POLL_INTERVAL_S = 0.05
READY_TIMEOUT_S = 60.0
MAX_LOG_BYTES = 64 << 20
LOG_TAIL_LINES = 10
# Make glibc reuse freed blocks of up to 32 MiB instead of returning them to the kernel, and retain at most 64 MiB.
# A new block costs a page fault per 4 KiB: 9 ms of CPU time for a request body of 24 MB.
ALLOCATOR_VARIABLES = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}


@dataclass
class Child:
    """A process to keep running. Its kind is its name up to the first dash.

    The next child starts once `is_ready` returns True. `environment` replaces the parent's environment, to which the
    tree adds `ALLOCATOR_VARIABLES`. Output goes to the file `log`, or to the parent's output without one.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] | None = None
    stop_timeout_s: float = 15.0
    is_ready: Callable[[], bool] | None = None
    log: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_pause_s: float = FIRST_PAUSE_S
    restart_at: float = 0.0

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]


class StartupFailed(InfrastructureError):
    """A child ended, or did not become ready, during startup."""


class ProcessTree:
    """Runs the children. `run` returns after a stop signal, once all have ended. Raises StartupFailed."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children
        self._prctl = ctypes.CDLL(None).prctl
        self._pid = os.getpid()
        self._stop_requested = False

    def run(self) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        try:
            for child in self._children:
                if not self._stop_requested:
                    self._start(child)
                    self._wait_until_ready(child)
            while not self._stop_requested:
                self._watch(POLL_INTERVAL_S)
        finally:
            self._stop()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _wait(self, seconds: float) -> None:
        """Wait until a signal arrives, and note requests to stop."""
        caught = signal.sigtimedwait(HANDLED_SIGNALS, seconds)
        if caught is not None and caught.si_signo in STOP_SIGNALS:
            logger.info("stopping", extra={"signal": signal.Signals(caught.si_signo).name})
            self._stop_requested = True

    def _watch(self, seconds: float) -> None:
        self._wait(seconds)
        for child in self._children:
            if not self._stop_requested:
                self._restart_if_ended(child)

    def _wait_until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while child.is_ready is not None and not self._stop_requested:
            if (code := _reap_if_ended(child)) is not None:
                raise StartupFailed(f"{child.name} failed to start: {_describe_exit(code)}{_read_log_tail(child)}")
            if child.is_ready():
                return
            if time.monotonic() > deadline:
                raise StartupFailed(f"{child.name} was not ready after {READY_TIMEOUT_S:.0f} s{_read_log_tail(child)}")
            self._wait(READY_POLL_INTERVAL_S)

    def _restart_if_ended(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.restart_at:
                self._start(child)
            return
        code = _reap_if_ended(child)
        if code is None:
            return
        if now - child.started_at > STABLE_AFTER_S:
            child.restart_pause_s = FIRST_PAUSE_S
        reason = {"reason": _describe_exit(code), "exit_code": code, "pause_s": child.restart_pause_s}
        logger.error("%s ended, restarting it", child.name, extra=reason)
        child.restart_at = now + child.restart_pause_s
        child.restart_pause_s = min(2 * child.restart_pause_s, MAX_PAUSE_S)

    def _start(self, child: Child) -> None:
        with ExitStack() as opened:
            output = opened.enter_context(_rotate_log(child.log).open("ab")) if child.log is not None else None
            child.process = subprocess.Popen(
                child.command,
                env={**ALLOCATOR_VARIABLES, **(os.environ if child.environment is None else child.environment)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=self._prepare_child,
                start_new_session=True,
            )
        child.started_at = time.monotonic()
        logger.info("%s started", child.name, extra={"pid": child.process.pid})

    def _prepare_child(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._pid:
            os._exit(1)

    def _stop(self) -> None:
        """Stop the children in reverse order, those of the same kind together.

        Signals go to the pid, because the methods of Popen would reap a child that has ended (`_reap_if_ended`).
        """
        left = [child for child in self._children if child.process is not None]
        while left:
            group = [child for child in left if child.kind == left[-1].kind]
            left = [child for child in left if child not in group]
            for child in group:
                if child.process is not None:
                    os.kill(child.process.pid, signal.SIGTERM)
            self._wait_for_end(group)

    def _wait_for_end(self, group: Sequence[Child]) -> None:
        started = time.monotonic()
        while running := [child for child in group if child.process is not None and _reap_if_ended(child) is None]:
            for child in running:
                assert child.process is not None
                if time.monotonic() - started > child.stop_timeout_s:
                    logger.warning("%s did not stop, killing it", child.name)
                    os.kill(child.process.pid, signal.SIGKILL)
            caught = signal.sigtimedwait(HANDLED_SIGNALS, READY_POLL_INTERVAL_S)
            if caught is not None and caught.si_signo in STOP_SIGNALS:
                started = float("-inf")


def _reap_if_ended(child: Child) -> int | None:
    """Return the exit code of a child that has ended, in subprocess's format, and kill what it left running."""
    process = child.process
    # Kill the group before reaping the child: until then, its process group id cannot be reused.
    if process is None or os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return None
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    child.process = None
    return process.wait()


def _describe_exit(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _rotate_log(log: Path) -> Path:
    """Return the log's path. A log that is too long is renamed first, replacing the previously renamed one."""
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_suffix(".old.log"))
    return log


def _read_log_tail(child: Child) -> str:
    if child.log is None:
        return ""
    lines = child.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return f"; the end of {child.log}:\n" + "\n".join(lines)
