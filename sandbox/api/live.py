"""`/live`: what goes on now, as one look or as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from sandbox.api.answers import json_response
from sandbox.api.documentation import answers, event_stream
from sandbox.api.door import Context, context_of
from sandbox.api.problems import describe
from sandbox.errors import SandboxError
from sandbox.schema.live import LiveView

router = APIRouter(tags=["live"])

EVERY_S = 1.0
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Lookout:
    """One look at Redis a second for all who watch, however many they are."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = asyncio.Lock()
        self._view: LiveView | None = None
        self._looked_at = 0.0

    async def view(self) -> LiveView:
        """At most `EVERY_S` old. Raises QueueUnavailable."""
        async with self._lock:
            if self._view is None or time.monotonic() - self._looked_at >= 0.9 * EVERY_S:
                self._view = await asyncio.to_thread(self._context.service.live)
                self._looked_at = time.monotonic()
            return self._view


@router.get("/live", **answers(LiveView, 403, 503))
async def live(request: Request) -> Response:
    """Slots, lanes, the verdicts of each of the last 120 seconds, and what ended last."""
    return json_response((await _lookout(request).view()).model_dump_json())


@router.get("/live/events", response_class=Response, **event_stream(LiveView))
async def events(request: Request) -> Response:
    """The same each second as server-sent events: `view`, whose `recent` has what is new; or `problem`."""
    lookout = _lookout(request)
    await lookout.view()  # what fails at once is a problem with a status
    return StreamingResponse(_told(lookout), media_type="text/event-stream", headers=HEADERS)


async def _told(lookout: Lookout) -> AsyncIterator[str]:
    seen: set[str] = set()
    while True:
        try:
            view = await lookout.view()
            fresh = [one for one in view.recent if one.id not in seen]
            seen = {one.id for one in view.recent}
            yield event("view", view.model_copy(update={"recent": fresh}).model_dump_json())
        except SandboxError as error:
            yield event("problem", describe(error).problem.model_dump_json())
        await asyncio.sleep(EVERY_S)


def event(kind: str, data: str) -> str:
    """One server-sent event; `data` is one line."""
    return f"event: {kind}\ndata: {data}\n\n"


def _lookout(request: Request) -> Lookout:
    state = request.app.state
    if not hasattr(state, "lookout"):
        state.lookout = Lookout(context_of(request))
    lookout: Lookout = state.lookout
    return lookout
