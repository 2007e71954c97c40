"""Decide whether the test, the program or the box is at fault if a command cannot be executed."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from dataclasses import replace

from sandbox.errors import BoxError
from sandbox.runner.contract import Outcome, Status

EXIT_COMMAND_NOT_FOUND = 127  # as in a shell
# Errors of an exec that are caused by the file, not by a lack of resources.
EXEC_FILE_ERRNOS = {
    errno.E2BIG,
    errno.EACCES,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELIBBAD,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOEXEC,
    errno.ENOTDIR,
}


def attribute_exec_error(outcome: Outcome, error: int, command: Sequence[str], is_test_command: bool) -> Outcome:
    """Return the outcome of a run whose command could not be executed; `error` is the errno.

    A test whose command does not exist can never pass. A failure of the program's own executable is the program's
    error. Raises BoxError for everything else, such as an interpreter that is missing from the image.
    """
    reason = f"cannot run {command[0]!r}: {os.strerror(error)}"
    if error in EXEC_FILE_ERRNOS and is_test_command:
        return replace(outcome, exit_code=None, message=f"the test's command: {reason}")
    if error in EXEC_FILE_ERRNOS and command[0].startswith("./"):
        return replace(outcome, status=Status.RUNTIME_ERROR, exit_code=EXIT_COMMAND_NOT_FOUND, message=reason)
    raise BoxError(reason)
