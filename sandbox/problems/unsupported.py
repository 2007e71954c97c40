"""The error for input that cannot become a task, and the translation of errors into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from sandbox.errors import BadRequest, SandboxError


class Unsupported(SandboxError):
    """A problem has a part that a task of this service cannot express. `where` names the file or field."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


@contextmanager
def name_invalid_values(where: str) -> Iterator[None]:
    """Turn an invalid value into Unsupported, which names the file or field `where`."""
    try:
        yield
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join((where, *map(str, first["loc"])))
        raise Unsupported(place, first["msg"].removeprefix("Value error, ")) from None
    except (TypeError, ValueError, OverflowError) as error:
        raise Unsupported(where, f"has an invalid value: {error}") from None


@contextmanager
def name_the_place(where: str) -> Iterator[None]:
    """Turn an invalid value or request into Unsupported, which names the file or field `where`."""
    try:
        with name_invalid_values(where):
            yield
    except BadRequest as error:
        raise Unsupported(where, str(error)) from None
