"""E2B's daemon: `/health`, `/files`, and the Connect service `filesystem.Filesystem` in its JSON form."""

from __future__ import annotations

import stat
from base64 import b64decode, b64encode
from contextlib import suppress
from datetime import UTC, datetime
from posixpath import basename
from typing import Any

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import Dialect, PeerRequest, encode_response
from sandbox.api.dialects.e2b_session import (
    HOME,
    call_sandbox,
    check_user,
    render_error,
    render_rpc_error,
    to_sandbox_path,
    to_session_path,
)
from sandbox.api.dialects.multipart import FormPart, parse_form
from sandbox.api.session_client import MAX_FILE_BYTES
from sandbox.errors import BadRequest, NotFound
from sandbox.schema.sessions import SessionFile

MAX_DEPTH = 32
TYPES = {"file": "FILE_TYPE_FILE", "directory": "FILE_TYPE_DIRECTORY", "symlink": "FILE_TYPE_SYMLINK"}
FORMATS = {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK}
ROUTES = Dialect("e2b", render_error)
RPC = Dialect("e2b", render_rpc_error)


class PathRequest(PeerRequest):
    path: str = ""


class ListRequest(PathRequest):
    depth: int = 1


class MoveRequest(PeerRequest):
    source: str
    destination: str


@ROUTES.get("/health")
async def check_health(request: Request) -> Response:
    """Respond with 204 if the sandbox runs, or 502 if it is gone."""
    await call_sandbox(request, {"do": "list_processes"})
    return Response(status_code=204)


@ROUTES.get("/files")
async def read(request: Request) -> Response:
    check_user(request.query_params.get("username", ""))
    path = to_session_path(request.query_params.get("path", ""))
    answer = await call_sandbox(request, {"do": "get_file", "path": path})
    return Response(b64decode(answer["content"]), media_type="application/octet-stream")


@ROUTES.post("/files")
async def write(request: Request) -> Response:
    """Write the files of a form, or the body as one file."""
    check_user(request.query_params.get("username", ""))
    path = request.query_params.get("path", "")
    body = await request_parsing.read_body(request)
    form = parse_form(request.headers.get("content-type", ""), body)
    files = [(path, body)] if form is None else _list_files(form, path)
    for name, content in files:
        if not name:
            raise BadRequest("name the file in the query parameter `path`", "path")
        if len(content) > MAX_FILE_BYTES:
            raise HTTPException(413, f"{name} has {len(content)} bytes, the maximum is {MAX_FILE_BYTES}")
    paths = [to_session_path(name) for name, _ in files]
    for name, (_, content) in zip(paths, files, strict=True):
        await call_sandbox(request, {"do": "put_file", "path": name, "content": b64encode(content).decode()})
    return encode_response([{"name": basename(name), "type": "file", "path": to_sandbox_path(name)} for name in paths])


def _list_files(form: list[FormPart], path: str) -> list[tuple[str, bytes]]:
    """Return the files of a form. Their names are paths, unless the request has a `path`. Raises BadRequest."""
    files = [(path or part.filename, part.content) for part in form if part.filename is not None]
    if not files or (path and len(files) > 1):
        raise BadRequest("send one file with the query parameter `path`, or files whose names are their paths", "body")
    return files


@RPC.post("/filesystem.Filesystem/Stat")
async def describe(request: Request) -> Response:
    body = await request_parsing.parse_body(request, PathRequest)
    return encode_response({"entry": await _describe(request, to_session_path(body.path))})


@RPC.post("/filesystem.Filesystem/ListDir")
async def list_directory(request: Request) -> Response:
    body = await request_parsing.parse_body(request, ListRequest)
    waiting, entries = [(to_session_path(body.path), 1)], []
    while waiting:
        path, depth = waiting.pop(0)
        answer = await call_sandbox(request, {"do": "list_files", "path": path})
        if not answer["complete"]:
            raise BadRequest(f"{to_sandbox_path(path)} has too many entries to list; use a command", "path")
        for entry in map(SessionFile.model_validate, answer["files"]):
            entries.append(_render(entry))
            if entry.type == "directory" and depth < min(body.depth, MAX_DEPTH):
                waiting.append((entry.path, depth + 1))
    return encode_response({"entries": entries})


@RPC.post("/filesystem.Filesystem/MakeDir")
async def make_directory(request: Request) -> Response:
    path = to_session_path((await request_parsing.parse_body(request, PathRequest)).path)
    answer = await call_sandbox(request, {"do": "make_directory", "path": path})
    if not answer["created"]:
        raise HTTPException(409, f"{to_sandbox_path(path)} already exists")
    return encode_response({"entry": await _describe(request, path)})


@RPC.post("/filesystem.Filesystem/Move")
async def move(request: Request) -> Response:
    body = await request_parsing.parse_body(request, MoveRequest)
    source, target = to_session_path(body.source), to_session_path(body.destination)
    await call_sandbox(request, {"do": "rename_file", "path": source, "target": target})
    return encode_response({"entry": await _describe(request, target)})


@RPC.post("/filesystem.Filesystem/Remove")
async def remove(request: Request) -> Response:
    """Delete a file or directory. As in E2B, it is no error if there is none."""
    path = to_session_path((await request_parsing.parse_body(request, PathRequest)).path)
    if not path:
        raise BadRequest(f"{HOME} itself cannot be removed", "path")
    with suppress(NotFound):
        await call_sandbox(request, {"do": "delete_file", "path": path})
    return encode_response({})


async def _describe(request: Request, path: str) -> dict[str, Any]:
    answer = await call_sandbox(request, {"do": "stat_file", "path": path})
    return _render(SessionFile.model_validate(answer))


def _render(entry: SessionFile) -> dict[str, Any]:
    path = to_sandbox_path(entry.path)
    return {
        "name": basename(path),
        "type": TYPES.get(entry.type, "FILE_TYPE_UNSPECIFIED"),
        "path": path,
        "size": str(entry.size),
        "mode": entry.mode,
        "permissions": stat.filemode(entry.mode | FORMATS.get(entry.type, 0)),
        "owner": "user",
        "group": "user",
        "modifiedTime": datetime.fromtimestamp(entry.modified_at, UTC).isoformat().replace("+00:00", "Z"),
    }
