"""Read the parts of a form that holds files, as HTTP clients send it."""

from __future__ import annotations

import re
from typing import NamedTuple

from sandbox.errors import BadRequest

_BOUNDARY = re.compile(r'multipart/form-data;.*boundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(rb'[; ]name="([^"]*)"', re.IGNORECASE)
_FILENAME = re.compile(rb'filename="([^"]*)"', re.IGNORECASE)


class FormPart(NamedTuple):
    """A field of a form. `filename` is None if it is no file."""

    name: str
    filename: str | None
    content: bytes


def parse_form(content_type: str, body: bytes) -> list[FormPart] | None:
    """Return the parts of a form, or None if the body is not a form. Raises BadRequest for a form without parts."""
    boundary = _BOUNDARY.match(content_type)
    if boundary is None:
        return None
    parts = []
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode())[1:-1]:
        head, separator, content = part.partition(b"\r\n\r\n")
        name, filename = _NAME.search(head), _FILENAME.search(head)
        if separator and (name or filename):
            parts.append(FormPart(_decode(name), _decode(filename) if filename else None, content))
    if not parts:
        raise BadRequest("the form has no parts", "body")
    return parts


def _decode(found: re.Match[bytes] | None) -> str:
    return "" if found is None else found[1].decode(errors="replace").replace("%22", '"')
