"""The context of a request: its caller, and the ids that follow the request from the client to boxes, logs, and traces.

The API sets the context variables for the duration of one request. The service, the logs, and the traces read them.
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
    """A client identified by its API key, with its limits.

    `rate` is in items (programs) per second, `burst` in items at once. `max_queued` limits the items without a result.
    `max_kept_mb` limits the requests, results, and task sets stored for this client, in MiB. 0 means no limit.
    """

    id: str
    role: Role = Role.SUBMIT
    rate: float = 0.0
    burst: int = 0
    max_queued: int = 0
    max_kept_mb: int = 0

    def may_see(self, owner: str) -> bool:
        """Return whether this caller may see a job that `owner` submitted."""
        return self.role is Role.ADMIN or self.id == owner


@dataclass(frozen=True, slots=True)
class RequestIds:
    """A request's X-Request-ID, and the W3C traceparent of the span that serves it."""

    request_id: str = ""
    traceparent: str = ""


NO_REQUEST_IDS = RequestIds()
CURRENT_CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)
CURRENT_REQUEST_IDS: ContextVar[RequestIds] = ContextVar("request_ids", default=NO_REQUEST_IDS)
# Fields added to every log line in this context.
LOG_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("log_fields", default=MappingProxyType({}))

_spare_ids: deque[str] = deque()


def generate_id() -> str:
    """Return a new, unguessable id of 32 hexadecimal digits. Thread-safe.

    Random bytes are read from the kernel for 256 ids at a time: one read per id took 5% of a request's time.
    """
    try:
        return _spare_ids.popleft()
    except IndexError:
        drawn = os.urandom(ID_BYTES * IDS_PER_DRAW).hex()
        ids = [drawn[at : at + 2 * ID_BYTES] for at in range(0, len(drawn), 2 * ID_BYTES)]
        _spare_ids.extend(ids[1:])
        return ids[0]


os.register_at_fork(after_in_child=_spare_ids.clear)
