"""The exception that a rule raises if it cannot decide, and the message that reports it."""

from __future__ import annotations

from sandbox.errors import SandboxError
from sandbox.runner.contract import Status

CHECKER_FAILED = "the checker failed"


class CheckerFailed(SandboxError):
    """The checker failed, not the program: the verdict is internal_error, never wrong_answer."""


def is_checker_failure(message: str) -> bool:
    """Return whether the message of a test with `internal_error` blames the checker. Otherwise, the service failed."""
    _, found, reason = message.partition(f"{CHECKER_FAILED}: ")
    return bool(found) and not reason.startswith(Status.INTERNAL_ERROR.value)
