"""The error for a request that does not fit its model, raised before anything is sent."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from sandbox.errors import BadRequest
from sandbox.schema.error_paths import format_dotted_path

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_FAULTS = 20


def build_bad_request(model: type[BaseModel], error: ValidationError) -> BadRequest:
    """Return an error with one line for each invalid field. Its `field` is the path of the first one."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [_describe_fault(model, fault) for fault in faults[:MAX_FAULTS]]
    return BadRequest("\n".join(lines), format_dotted_path(("body", *faults[0]["loc"])))


def _describe_fault(model: type[BaseModel], fault: ErrorDetails) -> str:
    location: tuple[Any, ...] = fault["loc"]
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden" and len(location) == 1:
        close = get_close_matches(str(location[0]), model.model_fields, n=1)
        message += f"; did you mean {close[0]!r}?" if close else ""
    return f"{format_dotted_path(location)}: {message}" if location else message
