"""Read the frames of a session's box without trusting the program in it.

The supervisor writes the header of a frame. A large body may come from the program's process, unchecked. It may set
only the fields that its kind of frame has, so that it cannot replace those of the supervisor, such as the request's
number or the usage.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from sandbox.errors import BadRequest, BoxError, NotFound, SessionBusy, SessionEnded
from sandbox.runner import frames
from sandbox.runner.reports import replace_surrogates

MAX_PART_BYTES = 64 << 20
MAX_MESSAGE_CHARS = 2_000
BRANCH_ENDED = {"ended", "unknown_branch"}
BOX_FAILURES = {"exists", "internal", "not_started"}
# the fields that a large body may set, by the frame's event; an answer to another request than a call has no event
BODY_FIELDS: dict[object, dict[str, type]] = {
    "done": {"result": dict, "error": dict},
    "display": {"data": dict},
    None: {"files": list, "complete": bool},
}


class InvalidPart(Exception):
    """A frame's body or content is too large, or is not what its kind of frame has."""


def read_frame(header: Mapping[str, Any], payload: bytes, descriptors: list[int]) -> tuple[dict[str, Any], bytes]:
    """Return a frame's header with its large body, and its content. Raises InvalidPart or OSError."""
    found = dict(header)
    try:
        if (size := found.pop("large", None)) is not None:  # the rest of the header, which is too large for a frame
            body = json.loads(_read_part(descriptors, size))
            fields = BODY_FIELDS.get(header.get("event"), {})
            found |= {name: body[name] for name, kind in fields.items() if isinstance(body.get(name), kind)}
        if "memory_file" in found:
            payload = _read_part(descriptors, found["memory_file"])
        return clean(found), payload
    except (ValueError, AttributeError, RecursionError) as error:
        raise InvalidPart(f"the box sent an invalid answer: {error}"[:MAX_MESSAGE_CHARS]) from error


def clean(value: Any) -> Any:
    """Replace lone surrogates in all texts of a JSON value, because UTF-8 cannot encode them."""
    if isinstance(value, str):
        return value if value.isascii() else replace_surrogates(value)
    if isinstance(value, dict):
        return {clean(name): clean(content) for name, content in value.items()}
    return [clean(each) for each in value] if isinstance(value, list) else value


def encode_bundle(bundle: Mapping[str, Any]) -> dict[str, str]:
    """Return representations by MIME type as texts. A value that is not a text becomes JSON, and None is left out.

    Raises RecursionError if a value is nested too deeply.
    """
    return {
        kind: content if isinstance(content, str) else json.dumps(content)
        for kind, content in bundle.items()
        if content is not None
    }


def clamp_usage(usage: object) -> dict[str, float]:
    """Return a call's usage with only finite numbers that are not negative."""
    if not isinstance(usage, dict):
        return {}
    return {
        name: max(0.0, value)
        for name in ("cpu_time_s", "wall_time_s", "memory_mb")
        if isinstance(value := usage.get(name), (int, float)) and math.isfinite(value)
    }


def build_error(failure: object) -> Exception:
    """Return the exception for a refusal of the box."""
    fields = failure if isinstance(failure, dict) else {}
    message = str(fields.get("message", ""))[:MAX_MESSAGE_CHARS]
    code = fields.get("code")
    if code == "busy":
        return SessionBusy(message or "the session runs another call, and it runs one at a time")
    if code == "not_found":
        return NotFound(message)
    if code in BRANCH_ENDED:
        return SessionEnded(message)
    if code in BOX_FAILURES:
        return BoxError(message)
    return BadRequest(message)


def _read_part(descriptors: list[int], size: object) -> bytes:
    """Read the next descriptor, a memfd of `size` bytes, and close it. Raises ValueError or OSError."""
    if not isinstance(size, int) or not 0 <= size <= MAX_PART_BYTES:
        raise ValueError(f"it has {size} bytes, the maximum is {MAX_PART_BYTES}")
    if not descriptors:
        raise ValueError("its content is missing")
    return frames.read_memory_file(descriptors.pop(0), size)
