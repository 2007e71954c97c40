"""The expected text is a regular expression that must match the whole output, or any part of it with `search`.

It has Python's syntax. Text is UTF-8; each byte that is not valid UTF-8 matches `.`. White space at the end of the
output and line ends at the end of the pattern do not count, because both are usually unintended.

An expression can take forever ("(a+)+b"), so it runs in a child process with limits: 192 MiB of memory, 2 s of CPU time
to compile, and 0.25 s of CPU time plus 0.1 s for each MiB of output to match. The load of the machine does not matter.
Each process uses one child for all its expressions (0.1 ms each; a start costs 15 ms) and replaces it after one exceeds
its limits. If an expression exceeds them on an output but not on an empty one, the output is the cause: wrong_answer.
If it also exceeds them on an empty output, or is not a valid expression, the checker fails: internal_error.
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

COMPILE_TIME_S = 2.0
MATCH_TIME_S, MATCH_TIME_S_PER_MB = 0.25, 0.1
CHILD_TIMEOUT_S = 120.0  # a child that does not answer for this long without using CPU time is starved or stuck
MAX_PATTERN_BYTES = 64 << 10
_MATCHER = Path(__file__).with_name("regex_matcher.py")
_REQUEST = struct.Struct("<IIIdd?")


def find_difference(
    actual: bytes,
    expected: bytes,
    search: bool = False,
    ignore_case: bool = False,
    multiline: bool = False,
    dot_all: bool = False,
) -> str:
    pattern = expected.rstrip(b"\r\n")
    if len(pattern) > MAX_PATTERN_BYTES:
        raise CheckerFailed(f"the regular expression exceeds {MAX_PATTERN_BYTES} bytes")
    flags = re.IGNORECASE * ignore_case | re.MULTILINE * multiline | re.DOTALL * dot_all
    try:
        answer = _matcher.ask(pattern, actual.rstrip(), int(flags), search)
    except RegexLimitExceeded:
        try:
            _matcher.ask(pattern, b"", int(flags), search)
        except RegexLimitExceeded as failure:
            raise CheckerFailed(f"the regular expression {failure}, even on an empty output") from None
        return "the output makes the regular expression run out of time or memory"
    if answer == "match":
        return ""
    if answer == "no match":
        return "the output does not match the regular expression"
    raise CheckerFailed(answer)


class RegexLimitExceeded(Exception):
    """The expression exceeded its CPU time or its memory."""


class _Matcher:
    """The child process and its pipes. It belongs to the process that started it, and to one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, pattern: bytes, text: bytes, flags: int, search: bool) -> str:
        with self._lock:
            child = self._ensure_child()
            try:
                answer = _exchange(child, pattern, text, flags, search)
            except (OSError, TimeoutError):
                self._stop()
                raise RegexLimitExceeded("takes too much CPU time or memory") from None
        if answer == "no memory":
            raise RegexLimitExceeded("takes too much memory")
        return answer

    def _ensure_child(self) -> subprocess.Popen[bytes]:
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
                _require_pipe(pipe).close()


def _exchange(child: subprocess.Popen[bytes], pattern: bytes, text: bytes, flags: int, search: bool) -> str:
    to_child, from_child = _require_pipe(child.stdin), _require_pipe(child.stdout)
    match_time_s = MATCH_TIME_S + MATCH_TIME_S_PER_MB * len(text) / (1 << 20)
    to_child.write(_REQUEST.pack(len(pattern), len(text), flags, COMPILE_TIME_S, match_time_s, search) + pattern)
    to_child.write(text)
    to_child.flush()
    if not select.select([from_child], [], [], CHILD_TIMEOUT_S)[0]:
        raise TimeoutError
    answer = from_child.readline()
    if not answer.endswith(b"\n"):
        raise BrokenPipeError
    return answer[:-1].decode()


def _require_pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BrokenPipeError
    return pipe


_matcher = _Matcher()
