"""The time that one call may take, all its attempts and the pauses between them together."""

from __future__ import annotations

import time

import httpx

from sandbox.client.connection import build_timeout
from sandbox.errors import AnswerTimeout


class Deadline:
    """Starts now and ends after `timeout_s` seconds. With None, it never ends, and the client's own timeout applies."""

    def __init__(self, path: str, timeout_s: float | None) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._ends_at = None if timeout_s is None else time.monotonic() + timeout_s

    def build_timeout(self) -> httpx.Timeout | None:
        """Return the timeout of the next attempt, or None for the client's own."""
        return None if self._ends_at is None else build_timeout(max(0.001, self._ends_at - time.monotonic()))

    def allows_pause(self, pause_s: float) -> bool:
        """Return whether there is time left after a pause."""
        return self._ends_at is None or time.monotonic() + pause_s < self._ends_at

    def build_error(self, cause: object) -> AnswerTimeout:
        """Build the exception for a call without an answer."""
        limit = "in time" if self._timeout_s is None else f"within {self._timeout_s:g} s"
        return AnswerTimeout(f"{self._path}: no answer {limit}: {cause}")
