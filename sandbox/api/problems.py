"""Every error as one JSON shape: problem details, RFC 9457.

`describe` is the one table from exception to problem; routes and the service only raise.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from sandbox import error_codes
from sandbox.errors import BadRequest, InfrastructureError, QueueUnavailable, Refused, SandboxError
from sandbox.schema import Problem, ProblemField
from sandbox.schema.locations import dotted_path

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_FIELDS = 20

# RFC 9110's phrases, where older Pythons have others.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}

_ADVICE = {
    404: "no such path; /openapi.json lists them all",
    405: "this path does not take that method; the Allow header says which it takes",
}


@dataclass(frozen=True, slots=True)
class Described:
    """A problem, and the headers that go with it."""

    problem: Problem
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        body = self.problem.model_dump_json()
        return Response(body, self.problem.status, headers=self.headers, media_type=MEDIA_TYPE)


def describe(error: Exception) -> Described:
    """The problem that an exception is to a client; one we did not raise on purpose is a bare 500."""
    if isinstance(error, SandboxError):
        return _of_ours(error)
    if isinstance(error, RequestValidationError):
        return _of_invalid(error.errors())
    if isinstance(error, HTTPException):
        return _of_http(error)
    return Described(_plain(500, "our failure; the server's log has it under this answer's X-Request-ID"))


def handle(app: FastAPI) -> None:
    """Answer these exceptions with problems; all others are answered where every request passes (`api.edge`)."""

    async def answer(request: Request, error: Exception) -> Response:
        return describe(error).response()

    for kind in (SandboxError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


def _plain(status: int, detail: str) -> Problem:
    title = _PHRASES.get(status) or HTTPStatus(status).phrase
    return Problem(title=title, status=status, detail=detail)


def _of_http(error: HTTPException) -> Described:
    """`detail` is advice where a route gave some, else the phrase that Starlette puts there."""
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = _ADVICE.get(error.status_code, "")
    return Described(_plain(error.status_code, detail), error.headers or {})


def _of_ours(error: SandboxError) -> Described:
    code = error_codes.of(error)
    if isinstance(error, InfrastructureError):
        log.error("%s: %s", code.name, error)
    detail = code.detail or str(error)
    fields = []
    if isinstance(error, BadRequest) and error.field:
        fields = [ProblemField(field=_below_body(error.field), message=detail)]
    problem = Problem(type=code.type, title=code.title, status=code.status, detail=detail, errors=fields)
    return Described(problem, _retry_after(error))


def _below_body(field: str) -> str:
    """The service names fields as its caller does, who may know them to stand in the path, or has said it already."""
    return field if field == "body" or field.startswith(("body.", "path.", "header.")) else f"body.{field}"


def _retry_after(error: SandboxError) -> dict[str, str]:
    if isinstance(error, Refused):
        return {"Retry-After": str(max(1, ceil(error.retry_after_s)))}
    if isinstance(error, QueueUnavailable):
        return {"Retry-After": "1"}
    return {}


def _of_invalid(errors: Sequence[Mapping[str, Any]]) -> Described:
    """Where it is wrong and why, never what was sent."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return Described(_plain(400, f"the body is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}"))
    fields = [ProblemField(field=dotted_path(error["loc"]), message=_message(error)) for error in errors[:MAX_FIELDS]]
    detail = f"{fields[0].field}: {fields[0].message}"
    if len(errors) > 1:
        detail += f" (and {len(errors) - 1} more)"
    problem = _plain(422, detail)
    return Described(problem.model_copy(update={"errors": fields}))


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "union_tag_invalid":  # pydantic's own words quote the tag that was sent
        return f"must be one of {error['ctx']['expected_tags']}"
    return str(error["msg"]).removeprefix("Value error, ")
