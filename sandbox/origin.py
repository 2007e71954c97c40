"""Where a submission comes from: the ids that go with it from the client's request to the box, its logs and traces."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class RequestIds:
    """`request` is the request's X-Request-ID, `trace` the W3C traceparent of the span it is served in."""

    request_id: str = ""
    traceparent: str = ""


NO_REQUEST_IDS = RequestIds()
CURRENT_REQUEST_IDS: ContextVar[RequestIds] = ContextVar("origin", default=NO_REQUEST_IDS)
# Fields of every line that is logged meanwhile.
LOG_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("logged", default=MappingProxyType({}))
