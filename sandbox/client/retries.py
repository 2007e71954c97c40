"""When to retry: the back-off of a request, of a stream that breaks off, and of a job that is polled."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass

import httpx

from sandbox.errors import InfrastructureError, QueueUnavailable, Refused, SandboxError
from sandbox.schema import Job

logger = logging.getLogger(__name__)

# The response can no longer arrive, so the client must send the request again. ReadTimeout is not among them: the
# caller's time is up.
CONNECTION_ERRORS = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ConnectTimeout, httpx.WriteTimeout)

# After one of these a stream reconnects and asks for the rest.
RECONNECT_ERRORS = (Refused, QueueUnavailable, *CONNECTION_ERRORS)

RETRYABLE_STATUSES = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Retries:
    """How many attempts a request gets and how long to wait between them: exponential back-off with full jitter.

    `attempts` includes the first one, so it is at least 1. A retry never comes before the time in `Retry-After`.
    """

    attempts: int = 6
    first_delay_s: float = 0.1
    max_delay_s: float = 5.0

    def delay_s(self, attempt: int, retry_after_s: float = 0.0) -> float:
        """Return the seconds to sleep after failed attempt number `attempt`, counted from 0."""
        back_off = min(self.max_delay_s, self.first_delay_s * 2**attempt)
        # The jitter comes on top of Retry-After; otherwise all refused clients would return at the same instant.
        return retry_after_s + random.uniform(0.0, back_off)


DEFAULT_RETRIES = Retries()


class StreamAttempts:
    """Counts the consecutive connections of the stream at `path` that sent nothing new."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._consecutive_failures = 0

    def reset(self) -> None:
        """Start counting again, because the current connection sent something new."""
        self._consecutive_failures = 0

    def count_failure(self, retries: Retries, failure: Exception | None) -> float:
        """Return the seconds to wait before reconnecting; raise after `retries.attempts` failures in a row.

        `failure` is None if the response ended normally but too early.
        """
        self._consecutive_failures += 1
        if self._consecutive_failures >= retries.attempts:
            if isinstance(failure, SandboxError):
                raise failure
            raise InfrastructureError(
                f"{self._path}: the stream broke off {self._consecutive_failures} times in a row and sent nothing new "
                f"({failure or 'the response ended early'}); check the service and any proxy in front of it"
            ) from failure
        return retries.delay_s(self._consecutive_failures - 1, getattr(failure, "retry_after_s", 0.0))


class PollSchedule:
    """The pauses between polls of a job: 30 ms at first, then longer, up to one second."""

    def __init__(self, timeout_s: float | None) -> None:
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._pause_s = 0.02
        self._last_note = ""

    def compute_pause_s(self, job: Job) -> float:
        """Return the seconds until the next poll; raise TimeoutError after the deadline.

        Log each new reason why a GPU job does not start.
        """
        note = str(getattr(job, "note", ""))  # only a GPU job has one
        if note and note != self._last_note:
            logger.warning("job %s waits: %s", job.id, note)
        self._last_note = note
        if self._deadline is not None and time.monotonic() >= self._deadline:
            reason = f" ({note})" if note else ""
            raise TimeoutError(
                f"job {job.id} did not end before the timeout{reason}; it is still running: wait again or cancel it"
            )
        self._pause_s = min(1.0, self._pause_s * 1.5)
        return self._pause_s
