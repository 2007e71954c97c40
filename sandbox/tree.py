"""A supervised process tree: start children in order, start again what dies, stop all in reverse.

Theory of operation. The parent does nothing but wait for signals, with sigtimedwait, so nothing is ever interrupted
at an unforeseen place. A child that ends is started again after a pause that doubles while it keeps dying, up to ten
seconds. SIGTERM and SIGINT stop the children in reverse order, each with time to finish, then with SIGKILL. Should
the parent be killed itself, the kernel ends the children (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
STEADY_AFTER_S = 30.0
LOOK_S = 0.5


@dataclass
class Child:
    """One process to keep running. `started` is called when it runs, before the next child is started."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_patience_s: float = 15.0
    started: Callable[[], None] | None = None
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    start_again_at: float = 0.0


class Tree:
    """`run` returns when a signal asked for it and every child has ended."""

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children
        self._prctl = ctypes.CDLL(None).prctl
        self._pid = os.getpid()

    def run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        try:
            for child in self._children:
                self._start(child)
                if child.started is not None:
                    child.started()
            self._watch()
        finally:
            self._stop()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)

    def _watch(self) -> None:
        while True:
            caught = signal.sigtimedwait(WATCHED, LOOK_S)
            if caught is not None and caught.si_signo in {signal.SIGTERM, signal.SIGINT}:
                logger.info("stopping", extra={"signal": signal.Signals(caught.si_signo).name})
                return
            for child in self._children:
                self._look_after(child)

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_again_at:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            return
        if now - child.started_at > STEADY_AFTER_S:
            child.pause_s = FIRST_PAUSE_S
        logger.error("%s ended, starting it again", child.name, extra={"exit_code": code, "pause_s": child.pause_s})
        child.process = None
        child.start_again_at = now + child.pause_s
        child.pause_s = min(2 * child.pause_s, LONGEST_PAUSE_S)

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            child.command,
            env={**os.environ, **child.environment},
            stdin=subprocess.DEVNULL,
            preexec_fn=self._in_child,
            start_new_session=True,
        )
        child.started_at = time.monotonic()
        logger.info("%s started", child.name, extra={"pid": child.process.pid})

    def _in_child(self) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._pid:
            os._exit(1)

    def _stop(self) -> None:
        """In reverse, children of the same kind together: the last started must not wait for each other."""
        left = [child for child in self._children if child.process is not None]
        while left:
            kind = left[-1].name.split("-")[0]
            group = [child for child in left if child.name.split("-")[0] == kind]
            left = [child for child in left if child not in group]
            for child in group:
                if child.process is not None:
                    child.process.terminate()
            for child in group:
                _await_end(child)


def _await_end(child: Child) -> None:
    if child.process is None:
        return
    try:
        child.process.wait(timeout=child.stop_patience_s)
    except subprocess.TimeoutExpired:
        logger.warning("%s does not stop, killed", child.name)
        child.process.kill()
        child.process.wait()
    child.process = None
