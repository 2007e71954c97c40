"""Ids of requests, submissions and envelopes: 32 hexadecimal digits that nobody can guess."""

from __future__ import annotations

import os
from collections import deque

ID_BYTES = 16
IDS_PER_DRAW = 256

_spare_ids: deque[str] = deque()


def generate_id() -> str:
    """Another id. Thread-safe. The kernel is asked for 256 at a time: asked for each, it was 5 % of a request."""
    try:
        return _spare_ids.popleft()
    except IndexError:
        drawn = os.urandom(ID_BYTES * IDS_PER_DRAW).hex()
        ids = [drawn[at : at + 2 * ID_BYTES] for at in range(0, len(drawn), 2 * ID_BYTES)]
        _spare_ids.extend(ids[1:])
        return ids[0]


os.register_at_fork(after_in_child=_spare_ids.clear)
