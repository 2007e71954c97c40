"""Render the result of a session's call as text for a model."""

from __future__ import annotations

from sandbox.schema.sessions import CallResult, CallStatus


def render_call(result: CallResult, max_chars: int) -> str:
    """Return what a model needs to continue: output, the last value, the exception, and how the call ended."""
    parts = [result.stdout, result.stderr]
    for display in [*result.displays, *([result.result] if result.result else [])]:
        parts.append(display.get("text/plain") or f"<{', '.join(display)}>")
    if result.error is not None:
        parts.append(result.error.traceback or f"{result.error.type}: {result.error.message}")
    elif result.exit_code:
        parts.append(f"exit code {result.exit_code}")
    if result.status not in {CallStatus.OK, CallStatus.ERROR}:
        parts.append(f"status: {result.status.value}")
    if result.state == "lost":
        parts.append(f"the session has ended: {result.reason}")
    return shorten("\n".join(part.rstrip("\n") for part in parts if part), max_chars)


def shorten(text: str, max_chars: int) -> str:
    """Cut the middle out of a text that would fill a model's context."""
    excess = len(text) - max_chars
    if excess <= 0:
        return text
    half = max_chars // 2
    return f"{text[:half]}\n[{excess} characters cut out]\n{text[len(text) - half :]}"
