"""The calls of a session as data: what to send, and how to parse the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from sandbox.client.protocol import ApiCall, build_error_from_problem, build_headers, validate_and_encode
from sandbox.client.retries import StreamAttempts
from sandbox.client.streams import BlockSplitter, JobEvent
from sandbox.errors import BadRequest, InfrastructureError, NotFound
from sandbox.schema import Problem, VerifyResult
from sandbox.schema.programs import check_relative_path
from sandbox.schema.sessions import (
    CallResult,
    ForkRequest,
    ForkResult,
    InterruptResult,
    SessionCall,
    SessionFiles,
    SessionInfo,
    SessionList,
    SessionRequest,
    SessionUpdate,
    SessionVerifyRequest,
)

Answer = TypeVar("Answer")

_CREATED, _NO_CONTENT = frozenset({201}), frozenset({204})
_OBJECT_ADAPTER = TypeAdapter(dict[str, Any])


def _build_path(session_id: str, rest: str = "") -> str:
    """Return the path of a session's route. Raises NotFound for text that is no id.

    A model may have chosen the id. httpx would resolve `..` in it, so the call would reach another route.
    """
    if not (session_id.isascii() and session_id.isalnum()):
        raise NotFound(f"there is no session {session_id[:64]!r}")
    return f"/sessions/{session_id}{rest}"


# The generated keys keep a retry after a lost answer from opening or forking a session twice.
def build_open_call(request: SessionRequest | Mapping[str, Any]) -> ApiCall[SessionInfo]:
    body = validate_and_encode(SessionRequest, request)
    return ApiCall("POST", "/sessions", SessionInfo, body, build_headers(uuid4().hex), _CREATED)


def build_list_call() -> ApiCall[SessionList]:
    return ApiCall("GET", "/sessions", SessionList)


def build_get_call(session_id: str) -> ApiCall[SessionInfo]:
    return ApiCall("GET", _build_path(session_id), SessionInfo)


def build_update_call(session_id: str, ttl_s: float) -> ApiCall[SessionInfo]:
    body = validate_and_encode(SessionUpdate, {"ttl_s": ttl_s})
    return ApiCall("PATCH", _build_path(session_id), SessionInfo, body, build_headers(""))


def build_close_call(session_id: str) -> ApiCall[None]:
    """Build the call that closes a session. It succeeds even if the session has already ended."""
    return ApiCall("DELETE", _build_path(session_id), type(None), success_statuses=frozenset({204, 404, 410}))


def build_execute_call(session_id: str, fields: Mapping[str, Any]) -> ApiCall[CallResult]:
    body = validate_and_encode(SessionCall, fields)
    return ApiCall("POST", _build_path(session_id, "/execute"), CallResult, body, build_headers(""))


def build_interrupt_call(session_id: str) -> ApiCall[InterruptResult]:
    return ApiCall("POST", _build_path(session_id, "/interrupt"), InterruptResult)


def build_fork_call(session_id: str, count: int) -> ApiCall[ForkResult]:
    body = validate_and_encode(ForkRequest, {"count": count})
    return ApiCall("POST", _build_path(session_id, "/fork"), ForkResult, body, build_headers(uuid4().hex))


def build_file_call(
    method: str, session_id: str, path: str, answer: type[Answer], content: bytes | None = None
) -> ApiCall[Answer]:
    """Build a call for one file. Raises BadRequest for a path that leads out of the work directory.

    httpx would remove `..` from the URL, so such a path would reach another route.
    """
    try:
        check_relative_path(path)
    except ValueError as error:
        raise BadRequest(f"path {path!r} {error}", "path.path") from None
    statuses = frozenset({200}) if answer is bytes else _NO_CONTENT
    return ApiCall(method, _build_path(session_id, f"/files/{quote(path)}"), answer, content, {}, statuses)


def build_list_files_call(session_id: str, path: str) -> ApiCall[SessionFiles]:
    query = f"?path={quote(path, safe='')}" if path else ""
    return ApiCall("GET", _build_path(session_id, f"/files{query}"), SessionFiles)


def build_archive_call(
    action: str, session_id: str, answer: type[Answer], content: bytes | None = None
) -> ApiCall[Answer]:
    statuses = frozenset({200}) if answer is bytes else _NO_CONTENT
    return ApiCall("POST", _build_path(session_id, f"/{action}"), answer, content, {}, statuses)


def build_verify_call(session_id: str, request: Mapping[str, Any]) -> ApiCall[VerifyResult]:
    body = validate_and_encode(SessionVerifyRequest, request)
    return ApiCall("POST", _build_path(session_id, "/verify"), VerifyResult, body, build_headers(""), item_count=1)


class CallStream:
    """The events of one call.

    If the connection breaks, the client repeats the call. The call's number keeps the code from running twice. The
    repeated call returns only the result, without the parts of the output.
    """

    method = "POST"

    def __init__(self, session_id: str, fields: Mapping[str, Any]) -> None:
        self.path = _build_path(session_id, "/execute")
        self.attempts = StreamAttempts(self.path)
        self.ended = False
        self._body = validate_and_encode(SessionCall, fields)
        self._splitter = BlockSplitter(b"\n\n")

    def start_request(self) -> tuple[Mapping[str, str], bytes]:
        self._splitter = BlockSplitter(b"\n\n")
        return {**build_headers(""), "Accept": "text/event-stream"}, self._body

    def parse_chunk(self, chunk: bytes) -> Iterator[JobEvent]:
        """Yield the events that this chunk completes; raise the error of a `problem`."""
        for block in self._splitter.split(chunk):
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
            try:
                event = JobEvent(fields[b"event"].decode(), _OBJECT_ADAPTER.validate_json(fields[b"data"]), None)
            except (ValidationError, KeyError) as error:
                raise InfrastructureError(f"{self.path}: cannot parse an event of the service: {error}") from error
            if event.event == "problem":
                raise build_error_from_problem(Problem.model_validate(event.data))
            self.ended = event.event == "result"
            yield event
