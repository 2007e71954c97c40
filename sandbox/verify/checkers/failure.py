"""What a rule raises when it cannot decide."""

from __future__ import annotations

from sandbox.errors import SandboxError


class CheckerFailed(SandboxError):
    """The checker, not the program, failed: the verdict is internal_error, never wrong_answer."""
