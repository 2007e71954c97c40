"""What is expected is a regular expression that has to match the whole output, or with `search` any part of it.

Python's syntax; text is UTF-8, and bytes that are not match `.` one by one. White space at the end of the output and
line ends at the end of the pattern do not count, for both are usually there by accident.

An expression can take for ever ("(a+)+b"), so it runs in a child process with a limit of 2 s of CPU time and 1 GiB of
memory, which does not depend on how busy the machine is. One child serves a process for all its expressions (0.1 ms
each; a start costs 15 ms) and is replaced after one that ran out. An expression that runs out, or is none, fails the
checker: the verdict is internal_error, for the program is not to blame.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import select
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

from sandbox.verify.checkers.failure import CheckerFailed

CPU_TIME_S = 2.0
PATIENCE_S = 120.0  # a child that neither answers nor uses CPU for so long is starved or stuck
MAX_PATTERN_BYTES = 64 << 10
_MATCHER = Path(__file__).with_name("regex_matcher.py")
_REQUEST = struct.Struct("<IIId?")


def difference(
    actual: bytes,
    expected: bytes,
    search: bool = False,
    ignore_case: bool = False,
    multiline: bool = False,
    dot_all: bool = False,
) -> str:
    pattern = expected.rstrip(b"\r\n")
    if len(pattern) > MAX_PATTERN_BYTES:
        raise CheckerFailed(f"the regular expression is over {MAX_PATTERN_BYTES} bytes")
    flags = re.IGNORECASE * ignore_case | re.MULTILINE * multiline | re.DOTALL * dot_all
    answer = _matcher.ask(pattern, actual.rstrip(), int(flags), search)
    if answer == "match":
        return ""
    if answer == "no match":
        return "the output does not match the regular expression"
    raise CheckerFailed(answer)


class _Matcher:
    """The child and its pipes; belongs to the process that started it, and to one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, pattern: bytes, text: bytes, flags: int, search: bool) -> str:
        with self._lock:
            child = self._started()
            try:
                return _exchange(child, pattern, text, flags, search)
            except (OSError, TimeoutError):
                self._stop()
                raise CheckerFailed(f"the regular expression took over {CPU_TIME_S:g} s or too much memory") from None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._owner != os.getpid() or self._child.poll() is not None:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-W", "ignore", str(_MATCHER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            if self._owner != os.getpid():
                atexit.register(self.close)
            self._owner = os.getpid()
        return self._child

    def close(self) -> None:
        with self._lock:
            if self._owner == os.getpid():
                self._stop()

    def _stop(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            with contextlib.suppress(OSError):
                _pipe(pipe).close()


def _exchange(child: subprocess.Popen[bytes], pattern: bytes, text: bytes, flags: int, search: bool) -> str:
    to_child, from_child = _pipe(child.stdin), _pipe(child.stdout)
    to_child.write(_REQUEST.pack(len(pattern), len(text), flags, CPU_TIME_S, search) + pattern)
    to_child.write(text)
    to_child.flush()
    if not select.select([from_child], [], [], PATIENCE_S)[0]:
        raise TimeoutError
    answer = from_child.readline()
    if not answer.endswith(b"\n"):
        raise BrokenPipeError
    return answer[:-1].decode()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BrokenPipeError
    return pipe


_matcher = _Matcher()
