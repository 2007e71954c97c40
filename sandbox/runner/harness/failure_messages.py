"""Build the messages that say why a test failed or cannot run."""

from __future__ import annotations

import traceback

MAX_MESSAGE_CHARS = 500
PROGRAM_NEVER_USED = "the test never used the program, so it tests nothing"
TESTS_NOTHING = "the source calls nothing and asserts nothing, so it tests nothing"
PYTEST_NOT_INSTALLED = "python3-pytest is not installed in this box"


def explain_failure(error: BaseException) -> str:
    """Return the reason why a test failed. It is empty if the test exited with a code other than 0."""
    if not isinstance(error, SystemExit):
        return format_last_line(error)
    if not error.code:
        return "the test called sys.exit() before its end"
    return "" if isinstance(error.code, int) else extract_last_line(str(error.code))


def format_last_line(error: BaseException) -> str:
    """Return the last line of an exception's traceback."""
    try:
        return extract_last_line("".join(traceback.format_exception_only(error)))
    except Exception:  # noqa: BLE001 - the test may define its __str__
        return type(error).__name__


def extract_last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:MAX_MESSAGE_CHARS] if lines else ""
