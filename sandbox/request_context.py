"""The context of a request: who asks, and the ids that follow it from the client to the box, its logs and its traces.

The API sets the context variables for the time of one request; the service, the logs and the traces read them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

ID_BYTES = 16
IDS_PER_DRAW = 256


class Role(StrEnum):
    SUBMIT = "submit"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """A client known by its key.

    `rate` and `burst` count items (programs) a second and at once, `max_queued` items that have no result yet,
    `max_kept_mb` is the MiB of requests, results and task sets kept for it; 0 is no limit.
    """

    id: str
    role: Role = Role.SUBMIT
    rate: float = 0.0
    burst: int = 0
    max_queued: int = 0
    max_kept_mb: int = 0

    def may_see(self, owner: str) -> bool:
        """Tell whether this caller may see a job that `owner` submitted."""
        return self.role is Role.ADMIN or self.id == owner


@dataclass(frozen=True, slots=True)
class RequestIds:
    """`request_id` is the request's X-Request-ID, `traceparent` the W3C traceparent of the span that serves it."""

    request_id: str = ""
    traceparent: str = ""


NO_REQUEST_IDS = RequestIds()
CURRENT_CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)
CURRENT_REQUEST_IDS: ContextVar[RequestIds] = ContextVar("request_ids", default=NO_REQUEST_IDS)
# Fields of every line that is logged in this context.
LOG_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=MappingProxyType({}))

_spare_ids: deque[str] = deque()


def generate_id() -> str:
    """Return a new id of 32 hexadecimal digits that nobody can guess. Thread-safe.

    The kernel is asked for 256 ids at a time: asking for each took 5 % of a request.
    """
    try:
        return _spare_ids.popleft()
    except IndexError:
        drawn = os.urandom(ID_BYTES * IDS_PER_DRAW).hex()
        ids = [drawn[at : at + 2 * ID_BYTES] for at in range(0, len(drawn), 2 * ID_BYTES)]
        _spare_ids.extend(ids[1:])
        return ids[0]


os.register_at_fork(after_in_child=_spare_ids.clear)
