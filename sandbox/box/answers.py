"""Parse the messages that a box sends. A box is not trusted, so the type and range of every field are checked.

Anything unexpected raises BoxError, and the box is destroyed.
"""

from __future__ import annotations

import math
from typing import Any

from sandbox.errors import BoxError
from sandbox.runner import frames
from sandbox.runner.contract import Status
from sandbox.runner.frames import PartIndex
from sandbox.runner.messages import Answer, OutcomeMessage, Ready
from sandbox.runner.reports import replace_surrogates

MAX_PROGRAM_BYTES = 1 << 31
MAX_MESSAGE_CHARS = 1_000
MAX_ERRNO = 4_095
_STATUSES = {status.value: status for status in Status}


def read_ready(header: dict[str, Any]) -> Ready:
    """Parse the first message of a supervisor, which it sends before any program runs. Raises BoxError."""
    if header.get("ready") is not True:
        raise BoxError("the supervisor did not report that it is ready")
    return Ready(str(header.get("kernel", "")), [str(layer) for layer in header.get("missing_isolation", ())])


def read_answer(header: dict[str, Any], tag: str) -> Answer:
    """Parse the answer to the request with this tag. Raises BoxError if the answer is invalid or has another tag."""
    if header.get("tag") != tag:
        raise BoxError("the answer belongs to another request")
    try:
        parts = [(str(name), int(size)) for name, size in header.get("parts", ())]
    except (TypeError, ValueError, OverflowError) as error:
        raise BoxError(f"the supervisor sent an invalid list of files: {error!r}") from error
    kept_bytes = header.get("kept_bytes", 0)
    if not isinstance(kept_bytes, int) or not 0 <= kept_bytes < MAX_PROGRAM_BYTES:
        raise BoxError("the supervisor sent an invalid program size")
    return Answer(tag, _read_outcome(header), kept_bytes, parts, header.get("retire") is True)


def read_message(text: object) -> str:
    """Shorten the supervisor's error message and replace characters that UTF-8 cannot encode."""
    return replace_surrogates(str(text)[:MAX_MESSAGE_CHARS])


def read_fetched_files(parts: PartIndex, descriptors: list[int], max_bytes: int, in_one_file: bool) -> dict[str, bytes]:
    """Read the files that an answer lists; return their content by name.

    With `in_one_file`, a single descriptor holds the content of all files, one after the other. Otherwise each file has
    its own descriptor.
    """
    if not parts:
        return {}
    try:
        if in_one_file:
            (copied,) = descriptors
            return frames.unpack_memory_file(copied, parts, max_bytes)
        files: dict[str, bytes] = {}
        for (name, size), descriptor in zip(parts, descriptors, strict=True):
            files.update(frames.unpack_memory_file(descriptor, [(name, size)], max_bytes))
            max_bytes -= size
        return files
    except (frames.FrameError, ValueError, OverflowError, OSError) as error:
        raise BoxError(f"the fetched files differ from what the supervisor reported: {error}") from error


def _read_outcome(header: dict[str, Any]) -> OutcomeMessage:
    try:
        fields = header["outcome"]
        error_number = fields.get("exec_error", 0)
        if not isinstance(error_number, int) or not 0 <= error_number <= MAX_ERRNO:
            raise BoxError("the supervisor sent an invalid errno for the command")
        return OutcomeMessage(
            _STATUSES[fields["status"]],
            None if fields["exit_code"] is None else int(fields["exit_code"]),
            None if fields["signal"] is None else int(fields["signal"]),
            _parse_finite(fields["cpu_time_s"]),
            _parse_finite(fields["wall_time_s"]),
            _parse_finite(fields["memory_mb"]),
            str(fields["stopped"]),
            read_message(fields["message"]),
            error_number,
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise BoxError(f"the supervisor sent an invalid outcome: {error!r}") from error


def _parse_finite(value: Any) -> float:
    """Convert a value to a finite float. Raises ValueError, TypeError or OverflowError if it is not a finite number."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return number
