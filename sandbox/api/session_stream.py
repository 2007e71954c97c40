"""Receive a session's answer in parts, as its output arrives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from sandbox.api.session_client import call_session
from sandbox.queue.session_calls import SessionCalls

OUTPUTS = ("stdout", "stderr")
KEEPALIVE = "keepalive"
RESULT = "result"


class Part(NamedTuple):
    """A part of an answer: output, RESULT with the complete answer, or KEEPALIVE if nothing has arrived for long."""

    event: str
    data: Mapping[str, Any]


async def stream_session(
    calls: SessionCalls,
    session_id: str,
    fields: Mapping[str, Any],
    keepalive_s: float | None = None,
    line_s: float = 0.0,
) -> AsyncIterator[Part]:
    """Send a call to a session, and yield the parts of the answer. The last one is the answer itself.

    An output that ends within a line waits up to `line_s` seconds for the rest of the line. Raises the errors of
    `call_session`, before or after the first part.
    """
    loop = asyncio.get_running_loop()
    parts: asyncio.Queue[bytes] = asyncio.Queue()
    task = loop.create_task(
        call_session(calls, session_id, fields, lambda part: loop.call_soon_threadsafe(parts.put_nowait, part))
    )
    getter = loop.create_task(parts.get())
    try:
        while not task.done() or not parts.empty() or getter.done():
            await asyncio.wait({task, getter}, timeout=keepalive_s, return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                found = [_parse(getter.result())]
                await _complete_line(found, parts, line_s)
                for part in found:
                    yield part
                getter = loop.create_task(parts.get())
                await asyncio.sleep(0)
            elif not task.done():
                yield Part(KEEPALIVE, {})
        yield Part(RESULT, task.result())
    finally:
        getter.cancel()
        task.cancel()


def _parse(message: bytes) -> Part:
    part = json.loads(message)
    return Part(part["event"], part["data"])


async def _complete_line(found: list[Part], parts: asyncio.Queue[bytes], line_s: float) -> None:
    """Add the rest of the line to the last part that was found, and the parts that arrive meanwhile."""
    while line_s and found[-1].event in OUTPUTS and not found[-1].data["text"].endswith("\n"):
        try:
            part = _parse(await asyncio.wait_for(parts.get(), line_s))
        except TimeoutError:
            return
        if part.event == found[-1].event:
            found[-1] = Part(part.event, {"text": found[-1].data["text"] + part.data["text"]})
        else:
            found.append(part)
