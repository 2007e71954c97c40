"""The body of a message from a REPL: a JSON object with what the program controls, such as a result or a display.

A body is part of the message up to 60 kB. A larger one is in a sealed memfd, which the supervisor passes on unread.
"""

from __future__ import annotations

import json
from typing import Any

MAX_INLINE_BODY_BYTES = 60_000
MAX_BODY_BYTES = 8 << 20
MAX_DEPTH = 64
SEALS = 0x0002 | 0x0004 | 0x0008  # F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE


def read_body(text: bytes) -> dict[str, Any]:
    """Parse an untrusted body that is part of a message. Raises ValueError if it is too long or no JSON object.

    A body that is nested deeper than MAX_DEPTH counts as empty: to encode it again could exceed the recursion limit.
    """
    if len(text) > MAX_INLINE_BODY_BYTES:
        raise ValueError(f"the body has {len(text)} bytes, the maximum is {MAX_INLINE_BODY_BYTES}")
    try:
        body = json.loads(text or b"{}")
    except RecursionError:
        return {}
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")
    return {} if _is_too_deep(body) else body


def _is_too_deep(body: dict[str, Any]) -> bool:
    level: list[Any] = [body]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return False
    return True
