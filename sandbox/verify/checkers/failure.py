"""The exception that a rule raises if it cannot decide."""

from __future__ import annotations

from sandbox.errors import SandboxError


class CheckerFailed(SandboxError):
    """The checker failed, not the program: the verdict is internal_error, never wrong_answer."""
