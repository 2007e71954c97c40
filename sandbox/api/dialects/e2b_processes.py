"""The processes of E2B's daemon: the Connect service `process.Process` in its JSON form."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from pydantic import Field
from starlette.exceptions import HTTPException

from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import Dialect, PeerRequest, build_model, encode_response, parse_model
from sandbox.api.dialects.e2b_session import (
    HOME,
    call_sandbox,
    check_user,
    render_rpc_error,
    to_session_path,
)
from sandbox.api.dialects.e2b_stream import read_message, respond
from sandbox.errors import BadRequest
from sandbox.schema.session_processes import ProcessRequest
from sandbox.schema.sessions import MAX_TTL_S

SIGNALS = {"SIGNAL_SIGTERM": 15, "SIGNAL_SIGKILL": 9}
RPC = Dialect("e2b", render_rpc_error)


class ProcessConfig(PeerRequest):
    cmd: str
    args: list[str] = Field(default_factory=list)
    envs: dict[str, str] = Field(default_factory=dict)
    cwd: str = ""


class StartRequest(PeerRequest):
    process: ProcessConfig
    pty: dict[str, Any] | None = None
    stdin: bool = True


class Selector(PeerRequest):
    pid: int


class ProcessCall(PeerRequest):
    process: Selector
    signal: str = ""
    input: dict[str, str] = Field(default_factory=dict)


@RPC.post("/process.Process/Start")
async def start(request: Request) -> Response:
    body = parse_model(StartRequest, await read_message(request))
    check_user(_read_user(request))
    if body.pty is not None:
        raise HTTPException(501, "pseudo-terminals are not available; use commands")
    directory = body.process.cwd
    is_home = not directory.startswith("/") or directory == HOME or directory.startswith(HOME + "/")
    process = build_model(
        ProcessRequest,
        command=[body.process.cmd, *body.process.args],
        directory=to_session_path(directory) if is_home else directory,
        variables=body.process.envs,
        stdin=body.stdin,
        limits={"wall_time_s": _read_timeout_s(request)},
    )
    return await respond(request, {"do": "start_process", "process": process.model_dump(mode="json")})


@RPC.post("/process.Process/Connect")
async def connect(request: Request) -> Response:
    body = parse_model(ProcessCall, await read_message(request))
    return await respond(request, {"do": "connect_process", "pid": body.process.pid})


@RPC.post("/process.Process/List")
async def list_processes(request: Request) -> Response:
    answer = await call_sandbox(request, {"do": "list_processes"})
    return encode_response({"processes": [_render_process(process) for process in answer["processes"]]})


@RPC.post("/process.Process/SendSignal")
async def send_signal(request: Request) -> Response:
    body = await request_parsing.parse_body(request, ProcessCall)
    if body.signal not in SIGNALS:
        raise BadRequest(f"must be one of {', '.join(SIGNALS)}", "signal")
    number = SIGNALS[body.signal]
    await call_sandbox(request, {"do": "signal_process", "pid": body.process.pid, "signal": number})
    return encode_response({})


@RPC.post("/process.Process/SendInput")
async def send_input(request: Request) -> Response:
    body = await request_parsing.parse_body(request, ProcessCall)
    try:
        content = b64decode(body.input["stdin"], validate=True)
    except (KeyError, binascii.Error):
        raise BadRequest("must be {stdin: base64}; pseudo-terminals are not available", "input") from None
    fields = {"do": "write_process", "pid": body.process.pid, "content": b64encode(content).decode()}
    await call_sandbox(request, fields)
    return encode_response({})


@RPC.post("/process.Process/CloseStdin")
async def close_stdin(request: Request) -> Response:
    body = await request_parsing.parse_body(request, ProcessCall)
    await call_sandbox(request, {"do": "write_process", "pid": body.process.pid, "close": True})
    return encode_response({})


def _read_user(request: Request) -> str:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        return b64decode(encoded).partition(b":")[0].decode(errors="replace") if scheme.lower() == "basic" else ""
    except binascii.Error:
        return ""


def _read_timeout_s(request: Request) -> float | None:
    milliseconds = request.headers.get("connect-timeout-ms", "")
    return min(MAX_TTL_S, max(1, int(milliseconds)) / 1000) if milliseconds.isdecimal() else None


def _render_process(process: Mapping[str, Any]) -> dict[str, Any]:
    command, *arguments = process["command"]
    directory = process["directory"]
    cwd = directory if directory.startswith("/") else f"{HOME}/{directory}".rstrip("/")
    return {"config": {"cmd": command, "args": arguments, "envs": {}, "cwd": cwd}, "pid": process["pid"]}
