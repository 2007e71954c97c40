"""Where a submission comes from: the ids that go with it from the client's request to the box, its logs and traces."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Origin:
    """`request` is the request's X-Request-ID, `trace` the W3C traceparent of the span it is served in."""

    request: str = ""
    trace: str = ""


NOWHERE = Origin()
ORIGIN: ContextVar[Origin] = ContextVar("origin", default=NOWHERE)
# Fields of every line that is logged meanwhile.
LOGGED: ContextVar[Mapping[str, str]] = ContextVar("logged", default=MappingProxyType({}))
