"""`/live`: the current state of the service, as one snapshot or as server-sent events, and its last hours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from sandbox.api.dependencies import ApiContext, get_context
from sandbox.api.openapi.documentation import document_event_stream, document_response
from sandbox.api.problems import describe_error
from sandbox.api.responses import build_json_response
from sandbox.errors import SandboxError
from sandbox.schema.live import LiveHistory, LiveView

router = APIRouter(tags=["live"])

REFRESH_INTERVAL_S = 1.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class LiveViewCache:
    """Reads the live view from Redis at most once per second, however many clients watch."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._lock = asyncio.Lock()
        self._view: LiveView | None = None
        self._read_at = 0.0

    async def get_view(self) -> LiveView:
        """Return a view that is at most `REFRESH_INTERVAL_S` old. Raises QueueUnavailable."""
        async with self._lock:
            if self._view is None or time.monotonic() - self._read_at >= 0.9 * REFRESH_INTERVAL_S:
                self._view = await asyncio.to_thread(self._context.service.get_live_view)
                self._read_at = time.monotonic()
            return self._view


@router.get("/live", **document_response(LiveView, 403, 503))
async def live(request: Request) -> Response:
    """Return slots, lanes, the verdicts of each of the last 120 seconds, and the latest results."""
    return build_json_response((await _get_cache(request).get_view()).model_dump_json())


@router.get("/live/history", **document_response(LiveHistory, 403, 422, 503))
def history(
    request: Request, hours: Annotated[int, Query(ge=1, le=24, description="how far back the history goes")] = 1
) -> Response:
    """Return the verdicts of the last hours by minute, or by up to five minutes if `hours` is more than 5."""
    return build_json_response(get_context(request).service.get_live_history(hours).model_dump_json())


@router.get("/live/events", response_class=Response, **document_event_stream(LiveView))
async def events(request: Request) -> Response:
    """Stream the live view each second as server-sent events: `view`, with new results in `recent`, or `problem`."""
    cache = _get_cache(request)
    await cache.get_view()  # an error here gets a problem response with its own status
    return StreamingResponse(_stream_events(cache), media_type="text/event-stream", headers=HEADERS)


async def _stream_events(cache: LiveViewCache) -> AsyncIterator[str]:
    seen: set[str] = set()
    while True:
        try:
            view = await cache.get_view()
            fresh = [one for one in view.recent if one.id not in seen]
            seen = {one.id for one in view.recent}
            yield format_event("view", view.model_copy(update={"recent": fresh}).model_dump_json())
        except SandboxError as error:
            yield format_event("problem", describe_error(error).problem.model_dump_json())
        await asyncio.sleep(REFRESH_INTERVAL_S)


def format_event(kind: str, data: str) -> str:
    """Format a server-sent event. `data` must be one line."""
    return f"event: {kind}\ndata: {data}\n\n"


def _get_cache(request: Request) -> LiveViewCache:
    state = request.app.state
    if not hasattr(state, "live_view_cache"):
        state.live_view_cache = LiveViewCache(get_context(request))
    cache: LiveViewCache = state.live_view_cache
    return cache
