"""Locate the fault in a request as a dotted path into the document that the client sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from sandbox.schema.checkers import Checker

MAX_PART_CHARS = 100

# Pydantic adds the tag or alias of a union's chosen member to the path. The client's document has no such level.
_TEST_TAGS = frozenset({"stdin", "function", "assert", "command", "pytest"})
_CHECKER_TAGS = frozenset(
    get_args(model.model_fields["type"].annotation)[0] for model in get_args(get_args(Checker)[0])
)


def format_dotted_path(location: Sequence[int | str]) -> str:
    """Format a location from pydantic as a dotted path, without the tags of unions."""
    parts: list[str] = []
    last: int | str = ""
    for part in location:
        is_checker_tag = last == "checker" and parts[-2:-1] != ["files"] and part in _CHECKER_TAGS
        is_in_tests = parts[-2:-1] == ["tests"] or (parts[-3:-2] == ["tests"] and parts[-2].isdecimal())
        is_test_tag = isinstance(last, int) and is_in_tests and part in _TEST_TAGS
        last = part
        if part != "[key]" and not is_checker_tag and not is_test_tag:
            parts.append(str(part)[:MAX_PART_CHARS])
    return ".".join(parts)
