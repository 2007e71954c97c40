"""Ids of requests, submissions and envelopes: 32 hexadecimal digits that nobody can guess."""

from __future__ import annotations

import os
from collections import deque

ID_BYTES = 16
MADE_AT_ONCE = 256

_made: deque[str] = deque()


def new_id() -> str:
    """Another id. Thread-safe. The kernel is asked for 256 at a time: asked for each, it was 5 % of a request."""
    try:
        return _made.popleft()
    except IndexError:
        drawn = os.urandom(ID_BYTES * MADE_AT_ONCE).hex()
        ids = [drawn[at : at + 2 * ID_BYTES] for at in range(0, len(drawn), 2 * ID_BYTES)]
        _made.extend(ids[1:])
        return ids[0]


os.register_at_fork(after_in_child=_made.clear)
