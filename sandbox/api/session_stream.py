"""Receive a session's answer in parts, as its output arrives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from sandbox.api.session_client import call_session
from sandbox.queue.session_calls import SessionCalls

KEEPALIVE = "keepalive"
RESULT = "result"


class Part(NamedTuple):
    """A part of an answer: output, RESULT with the complete answer, or KEEPALIVE if nothing has arrived for long."""

    event: str
    data: Mapping[str, Any]


async def stream_session(
    calls: SessionCalls, session_id: str, fields: Mapping[str, Any], keepalive_s: float | None = None
) -> AsyncIterator[Part]:
    """Send a call to a session, and yield the parts of the answer. The last one is the answer itself.

    Raises the errors of `call_session`, before or after the first part.
    """
    loop = asyncio.get_running_loop()
    parts: asyncio.Queue[bytes] = asyncio.Queue()
    task = loop.create_task(
        call_session(calls, session_id, fields, lambda part: loop.call_soon_threadsafe(parts.put_nowait, part))
    )
    try:
        while not task.done() or not parts.empty():
            getter = loop.create_task(parts.get())
            done, _ = await asyncio.wait({task, getter}, timeout=keepalive_s, return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                part = json.loads(getter.result())
                yield Part(part["event"], part["data"])
                continue
            getter.cancel()
            if not done:
                yield Part(KEEPALIVE, {})
        yield Part(RESULT, task.result())
    finally:
        task.cancel()
