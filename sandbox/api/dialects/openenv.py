"""OpenEnv's coding environment: `/ws`, which holds an episode, and `/reset`, `/step` and `/state` without one.

As in the peer, each WebSocket has its own environment, and each HTTP request a new one.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response, WebSocket
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from sandbox import __version__
from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import Dialect, PeerRequest, encode_response, render_detail, to_json
from sandbox.api.dialects.openenv_episode import CodeAction, Episode, ResetOptions, render_observation
from sandbox.api.problems import describe_error
from sandbox.errors import BadRequest, NoFreeSession, SandboxError, SessionEnded, SessionQuotaExceeded

logger = logging.getLogger(__name__)

MAX_WAITING_MESSAGES = 2  # the peer's client sends the next one after the answer
LARGE_CHARS = 100_000  # texts that would block the event loop noticeably are parsed in a thread
STRING, INTEGER = {"type": "string"}, {"type": "integer"}
OBSERVATION_SCHEMA = {"type": "object", "properties": {"stdout": STRING, "stderr": STRING, "exit_code": INTEGER}}
STATE_SCHEMA = {
    "type": "object",
    "properties": {"episode_id": STRING, "step_count": INTEGER, "last_exit_code": INTEGER},
}


class StepRequest(PeerRequest):
    action: dict[str, Any]


DIALECT = Dialect("openenv", render_detail)


@DIALECT.websocket("/ws")
async def run_episodes(websocket: WebSocket) -> None:
    """Handle messages one after the other until the client disconnects, and close its session then."""
    if not _is_same_origin(websocket):
        await websocket.close(1008)
        return
    await websocket.accept()
    gone = asyncio.Event()
    messages: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING_MESSAGES)
    reader = asyncio.create_task(_read_messages(websocket, messages, gone))
    episode = Episode(_build_request(websocket, gone))
    answerer = asyncio.create_task(_answer_messages(websocket, messages, episode))
    try:
        await asyncio.wait({reader, answerer}, return_when=asyncio.FIRST_COMPLETED)
        if answerer.done():
            with suppress(WebSocketDisconnect, ClientDisconnect):
                answerer.result()  # raises an unexpected error, which the server logs
    finally:
        gone.set()
        reader.cancel()
        answerer.cancel()
        await asyncio.gather(reader, answerer, return_exceptions=True)
        await _close(episode)


@DIALECT.post("/reset")
async def reset(request: Request) -> Response:
    """Check the options. The environment of this request would end with it, so there is none."""
    await request_parsing.parse_body(request, ResetOptions)
    return encode_response(render_observation("", "", 0))


@DIALECT.post("/step")
async def step(request: Request) -> Response:
    """Run one action in a new environment."""
    body = await request_parsing.parse_body(request, StepRequest)
    episode = Episode(request)
    try:
        return encode_response(await episode.step(body.action))
    finally:
        await _close(episode)


@DIALECT.get("/state")
async def state(request: Request) -> Response:
    return encode_response(Episode(request).state)


@DIALECT.get("/health")
async def health(request: Request) -> Response:
    return encode_response({"status": "healthy"})


@DIALECT.get("/metadata")
async def metadata(request: Request) -> Response:
    description = "Runs Python code in a session, and judges it with hidden tests"
    return encode_response({"name": "coding_env", "description": description, "version": __version__})


@DIALECT.get("/schema")
async def schema(request: Request) -> Response:
    action = CodeAction.model_json_schema()
    return encode_response({"action": action, "observation": OBSERVATION_SCHEMA, "state": STATE_SCHEMA})


async def _read_messages(websocket: WebSocket, messages: asyncio.Queue[str], gone: asyncio.Event) -> None:
    """Read messages while earlier ones are answered, so that a disconnect is seen during a long step."""
    try:
        while True:
            await messages.put(await websocket.receive_text())
    except (WebSocketDisconnect, KeyError):  # KeyError: a message in bytes
        gone.set()


async def _answer_messages(websocket: WebSocket, messages: asyncio.Queue[str], episode: Episode) -> None:
    while (answer := await _answer(await messages.get(), episode)) is not None:
        await websocket.send_text(to_json(answer).decode())
    await websocket.close()


async def _answer(text: str, episode: Episode) -> dict[str, Any] | None:
    """Return the answer to a message, or None to `close`. An error leaves the episode as it is."""
    try:
        message = json.loads(text) if len(text) < LARGE_CHARS else await asyncio.to_thread(json.loads, text)
    except (ValueError, RecursionError) as error:
        return _render_failure(f"Invalid JSON: {error}", "INVALID_JSON")
    kind = message.get("type") if isinstance(message, dict) else None
    data = message.get("data", {}) if isinstance(message, dict) else {}
    if not isinstance(data, dict):
        return _render_failure("data must be an object", "VALIDATION_ERROR")
    try:
        match kind:
            case "reset":
                return {"type": "observation", "data": await episode.reset(data)}
            case "step":
                return {"type": "observation", "data": await episode.step(data)}
            case "state":
                return {"type": "state", "data": episode.state}
            case "close":
                return None
    except SandboxError as error:
        problem = describe_error(error).problem
        return _render_failure(problem.detail or problem.title, _choose_code(error))
    return _render_failure(f"Unknown message type: {str(kind)[:64]}", "UNKNOWN_TYPE")


def _choose_code(error: SandboxError) -> str:
    if isinstance(error, NoFreeSession | SessionQuotaExceeded):
        return "CAPACITY_REACHED"
    if isinstance(error, SessionEnded):
        return "SESSION_ERROR"
    return "VALIDATION_ERROR" if isinstance(error, BadRequest) else "EXECUTION_ERROR"


def _render_failure(message: str, code: str) -> dict[str, Any]:
    return {"type": "error", "data": {"message": message, "code": code}}


async def _close(episode: Episode) -> None:
    try:
        await episode.close()
    except SandboxError as error:
        logger.warning("the session of an environment ends after its idle time: %s", error)


def _build_request(websocket: WebSocket, gone: asyncio.Event) -> Request:
    """Build a request on which the service's functions can wait for the client to disconnect."""

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    return Request({**websocket.scope, "type": "http", "method": "POST"}, receive)


def _is_same_origin(websocket: WebSocket) -> bool:
    """Return whether no other site's web page opened the connection: browsers let any page open WebSockets."""
    origin = websocket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == websocket.headers.get("host")
