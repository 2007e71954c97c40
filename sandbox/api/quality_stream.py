"""Stream the report on a test suite: the progress as it is made, then the report or a problem.

The stream has JSON lines (`application/x-ndjson`) or server-sent events (`text/event-stream`), as the client accepts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from sandbox.api.problems import describe_error
from sandbox.api.quality_run import judge_programs
from sandbox.api.request_parsing import NDJSON, Preferences
from sandbox.errors import SandboxError
from sandbox.schema.quality import QualityRequest
from sandbox.schema.quality_progress import QualityLine, QualityProgress

EVENT_STREAM = "text/event-stream"


def choose_stream(request: Request, preferences: Preferences) -> str:
    """Return the media type of the stream that the client accepts, or an empty string if it wants one JSON object."""
    if preferences.ndjson:
        return NDJSON
    return EVENT_STREAM if EVENT_STREAM in request.headers.get("accept", "").lower() else ""


async def stream_report(
    request: Request, body: QualityRequest, preferences: Preferences, media_type: str
) -> QualityStreamResponse:
    """Start to judge, and return the response once the programs are accepted.

    An error before that is raised, so that it gets a status of its own. A later one is the last part of the stream.
    """
    parts = _judge(request, body, preferences)
    return QualityStreamResponse(await anext(parts), parts, media_type)


async def _judge(request: Request, body: QualityRequest, preferences: Preferences) -> AsyncIterator[QualityLine]:
    waiting: asyncio.Queue[QualityProgress | None] = asyncio.Queue()
    report = asyncio.create_task(judge_programs(request, body, preferences, waiting.put_nowait))
    report.add_done_callback(lambda _: waiting.put_nowait(None))
    try:
        while (progress := await waiting.get()) is not None:
            yield QualityLine(progress=progress)
        yield QualityLine(report=report.result())
    finally:
        report.cancel()


class QualityStreamResponse(Response):
    """A response that sends each part as soon as it is there, unless the client disconnects."""

    def __init__(self, first: QualityLine, rest: AsyncIterator[QualityLine], media_type: str) -> None:
        super().__init__(media_type=media_type, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._first = first
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})

        async def send_part(part: QualityLine) -> None:
            data = await asyncio.to_thread(self._render, part)
            await send({"type": "http.response.body", "body": data, "more_body": True})

        await send_part(self._first)
        try:
            async for part in self._rest:
                await send_part(part)
        except ClientDisconnect:
            return
        except (SandboxError, HTTPException) as error:
            await send_part(QualityLine(problem=describe_error(error).problem))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _render(self, part: QualityLine) -> bytes:
        kind, value = next((name, value) for name, value in part if value is not None)
        if self.media_type == NDJSON:  # `exclude_none` would also leave out measures of the report that are null
            return part.model_dump_json(include={kind}).encode() + b"\n"
        return f"event: {kind}\ndata: {value.model_dump_json()}\n\n".encode()
