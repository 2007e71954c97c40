"""SWE-ReX's remote runtime: one bash session of this service, which the client names in the URL.

    RemoteRuntime(host="http://HOST:8080/dialects/swe_rex/NAME", auth_token=KEY)

The name of the runtime is that of its session, so any process of the API finds it, and a runtime never has two. The
session's metadata has this name, too, and that of the runtime's one shell.
Status 511 carries an exception that the client raises, with the name of its class.
"""

from __future__ import annotations

import asyncio
import shlex
from base64 import b64decode, b64encode
from typing import Any

from fastapi import Request, Response

from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import Dialect, PeerRequest, build_model, encode_response
from sandbox.api.dialects.e2b_session import get_calls, to_session_path
from sandbox.api.dialects.multipart import parse_form
from sandbox.api.problems import ProblemResponse
from sandbox.api.session_client import MAX_FILE_BYTES, call_session, open_session
from sandbox.errors import BadRequest, SessionEnded
from sandbox.queue.session_names import SessionNames
from sandbox.schema.sessions import MAX_TTL_S, CallResult, SessionCall, SessionInfo, SessionRequest, SessionStatus

RUNTIME, SHELL = "swe_rex.runtime", "swe_rex.shell"
LIMITS = {"cpu_time_s": 3_600, "wall_time_s": 7_200, "output_kb": 16_384}
CLASSES = {404: "builtins.FileNotFoundError", 410: "SessionDoesNotExistError"}
UNPACK = "(cd ~ && mkdir -p {0} && python3 -m zipfile -e {0}.zip {0} && rm {0}.zip)"


def render_error(problem: ProblemResponse) -> Response:
    """Render an error as an exception that the client raises. Without a valid key, the status stays."""
    status, message = problem.problem.status, problem.problem.detail or problem.problem.title
    if status in (401, 403):
        return encode_response({"detail": message}, status)
    return _fail(CLASSES.get(status, "SwerexException"), message)


DIALECT = Dialect("swe_rex", render_error)


class Shell(PeerRequest):
    session: str = "default"
    startup_source: tuple[str, ...] = ()


class Action(PeerRequest):
    action_type: str = "bash"
    session: str = "default"
    command: str = ""
    timeout: float | None = None
    check: str = "raise"
    error_msg: str = ""
    expect: tuple[str, ...] = ()
    is_interactive_command: bool = False


class Command(PeerRequest):
    command: str | list[str]
    timeout: float | None = None
    check: bool = False
    error_msg: str = ""
    env: dict[str, str] | None = None
    cwd: str | None = None
    merge_output_streams: bool = False


class File(PeerRequest):
    path: str
    content: str = ""
    encoding: str | None = None
    errors: str | None = None


@DIALECT.get("/{runtime}/is_alive")
async def is_alive(request: Request) -> Response:
    return encode_response({"is_alive": True, "message": ""})


@DIALECT.post("/{runtime}/create_session")
async def create_session(request: Request) -> Response:
    body = await request_parsing.parse_body(request, Shell)
    session = await _open(request, body.session)
    if session is None:
        found = await _find(request)
        shell = "which another request is opening" if found is None else found.metadata.get(SHELL)
        return _fail("SessionExistsError", f"the runtime has its only session, {shell}")
    source = "; ".join(f"source {shlex.quote(path)}" for path in body.startup_source) or ":"
    result = await _execute(request, session.id, None, code=source)
    return encode_response({"output": result.stdout + result.stderr})


@DIALECT.post("/{runtime}/run_in_session")
async def run_in_session(request: Request) -> Response:
    body = await request_parsing.parse_body(request, Action)
    session = await _get(request, body.session)
    if body.expect or body.is_interactive_command:
        raise BadRequest("the shell has no terminal, so no command can be interactive", "expect")
    if body.action_type == "bash_interrupt":
        await _call(request, session, {"do": "interrupt"})
        return encode_response({"output": "", "exit_code": 0})
    result = await _execute(request, session, body.timeout, code=body.command)
    exit_code = None if body.check == "ignore" else result.exit_code
    observation = {"output": result.stdout + result.stderr, "exit_code": exit_code}
    return _find_failure(result, body.check == "raise", body.error_msg) or encode_response(observation)


@DIALECT.post("/{runtime}/execute")
async def execute(request: Request) -> Response:
    """Run a command in a child of the shell, in the work directory."""
    body = await request_parsing.parse_body(request, Command)
    command = body.command if isinstance(body.command, str) else shlex.join(body.command)
    words = ["env", *map("=".join, (body.env or {}).items()), "bash", "-c", command]
    line = f"(cd ~ && cd {shlex.quote(body.cwd or '.')} && {shlex.join(words)})" + " 2>&1" * body.merge_output_streams
    result = await _execute(request, await _get(request), body.timeout, command=line)
    return _find_failure(result, body.check, body.error_msg) or encode_response(result.model_dump(mode="json"))


@DIALECT.post("/{runtime}/read_file")
async def read_file(request: Request) -> Response:
    body = await request_parsing.parse_body(request, File)
    answer = await _call(request, await _get(request), {"do": "get_file", "path": to_session_path(body.path)})
    try:
        text = b64decode(answer["content"]).decode(body.encoding or "utf-8", body.errors or "strict")
        return encode_response({"content": text})
    except (LookupError, ValueError) as error:
        raise BadRequest(f"{body.path} cannot be decoded: {error}", "encoding") from None


@DIALECT.post("/{runtime}/write_file")
async def write_file(request: Request) -> Response:
    body = await request_parsing.parse_body(request, File)
    await _put_file(request, body.path, body.content.encode(errors="replace"))
    return encode_response({})


@DIALECT.post("/{runtime}/upload")
async def upload(request: Request) -> Response:
    """Write a file, or unpack the archive of a directory."""
    body = await request_parsing.read_body(request)
    form = {part.name: part.content for part in parse_form(request.headers.get("content-type", ""), body) or ()}
    target = to_session_path(form.get("target_path", b"").decode(errors="replace"))
    is_archive = form.get("unzip", b"") == b"true"
    await _put_file(request, target + ".zip" * is_archive, form.get("file", b""))
    if not is_archive:
        return encode_response({})
    result = await _execute(request, await _get(request), None, command=UNPACK.format(shlex.quote(target)))
    return _find_failure(result, True, "the archive cannot be unpacked") or encode_response({})


@DIALECT.post("/{runtime}/close_session", "/{runtime}/close")
async def close(request: Request) -> Response:
    """Close the session, with its files. SWE-ReX closes a runtime that has no session, too."""
    found = await _find(request)
    if request.url.path.endswith("/close_session"):
        await _get(request, (await request_parsing.parse_body(request, Shell)).session)
    if found is not None and found.status is SessionStatus.OPEN:
        await _call(request, found.id, {"do": "close"})
    return encode_response({})


async def _open(request: Request, shell: str) -> SessionInfo | None:
    """Open the runtime's session. Return None if it has one, or if another request is opening it."""
    names, runtime = SessionNames(get_calls(request)), request.path_params["runtime"]
    labels = {RUNTIME: runtime, SHELL: shell}
    wanted = build_model(SessionRequest, language="bash", ttl_s=MAX_TTL_S, idle_ttl_s=MAX_TTL_S, metadata=labels)
    reservation = await asyncio.to_thread(names.reserve, runtime)
    if reservation is None:
        return None
    try:
        session = await open_session(get_calls(request), request, wanted)
    except BaseException:
        await asyncio.shield(asyncio.to_thread(names.release, runtime, reservation))
        raise
    if await asyncio.to_thread(names.assign, runtime, reservation, session.id):
        return session
    await _call(request, session.id, {"do": "close"})
    return None


async def _find(request: Request) -> SessionInfo | None:
    """Return the runtime's latest session, which may have ended."""
    names, runtime = SessionNames(get_calls(request)), request.path_params["runtime"]
    return await asyncio.to_thread(names.find, runtime, {RUNTIME: runtime})


async def _get(request: Request, shell: str = "") -> str:
    """Return the id of the runtime's session. Raises SessionEnded if it has none, or none of that name."""
    found = await _find(request)
    if found is None or (shell and found.metadata.get(SHELL) != shell):
        raise SessionEnded(f"the runtime has no session {shell or 'now'}: create one")
    if found.status is not SessionStatus.OPEN:
        why = f"the last one is {found.status}: {found.reason}"
        raise SessionEnded(f"the runtime has no session {shell or 'now'}: create one; {why}")
    return found.id


async def _call(request: Request, session_id: str, fields: dict[str, Any]) -> Any:
    return await call_session(get_calls(request), session_id, fields)


async def _execute(request: Request, session_id: str, timeout_s: float | None, **source: str) -> CallResult:
    limits = LIMITS if timeout_s is None else {**LIMITS, "wall_time_s": timeout_s}
    call = build_model(SessionCall, **source, limits=limits).model_dump(mode="json", exclude_defaults=True)
    return CallResult.model_validate(await _call(request, session_id, {"do": "execute", "call": call}))


async def _put_file(request: Request, path: str, content: bytes) -> None:
    if len(content) > MAX_FILE_BYTES:
        raise BadRequest(f"{path} has {len(content)} bytes, the maximum is {MAX_FILE_BYTES}", "content")
    encoded = {"path": to_session_path(path), "content": b64encode(content).decode()}
    await _call(request, await _get(request), {"do": "put_file", **encoded})


def _find_failure(result: CallResult, check: bool, message: str) -> Response | None:
    """Return the exception of a call that did not end by itself or, with `check`, with another exit code than 0."""
    output = result.stdout + result.stderr
    if result.state == "lost":
        return _fail("SessionDoesNotExistError", f"the session has ended: {result.reason}")
    if result.status not in ("ok", "error", "interrupted"):
        name = "CommandTimeoutError" if result.status == "time_limit" else "SwerexException"
        return _fail(name, f"{result.reason or result.status}; output: {output}")
    if check and result.exit_code != 0:
        return _fail("NonZeroExitCodeError", f"{message or 'failed'}: exit code {result.exit_code}; output: {output}")
    return None


def _fail(name: str, message: str) -> Response:
    """Return the exception that the client raises: a class of SWE-ReX or, with its module, any other."""
    class_path = name if "." in name else f"swerex.exceptions.{name}"
    return encode_response({"swerexception": {"message": message, "class_path": class_path}}, 511)
