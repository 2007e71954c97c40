"""The exception of a rule that cannot decide."""

from __future__ import annotations

from sandbox.errors import SandboxError


class CheckerFailed(SandboxError):
    """The checker failed, not the program: the verdict is internal_error, never wrong_answer."""
