"""Render every error in one JSON format: problem details, RFC 9457.

Only `describe_error` maps exceptions to problems. Routes and the service just raise.
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

from sandbox.errors import BadRequest, InfrastructureError, QueueUnavailable, Refused, SandboxError
from sandbox.schema import Problem, ProblemField, error_codes
from sandbox.schema.error_paths import format_dotted_path

log = logging.getLogger(__name__)

PROBLEM_MEDIA_TYPE = "application/problem+json"
MAX_FIELDS = 20

# The phrases of RFC 9110; older versions of Python have others.
_STATUS_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}

_STATUS_ADVICE = {
    404: "no such path; see /openapi.json for all paths",
    405: "this path does not support that method; the Allow header lists the methods that it does",
}


@dataclass(frozen=True, slots=True)
class ProblemResponse:
    """A problem and the headers to send with it."""

    problem: Problem
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_response(self) -> Response:
        body = self.problem.model_dump_json()
        return Response(body, self.problem.status, headers=self.headers, media_type=PROBLEM_MEDIA_TYPE)


def describe_error(error: Exception) -> ProblemResponse:
    """Convert an exception to a problem. An exception that was not raised on purpose becomes a 500 without details."""
    if isinstance(error, SandboxError):
        return _describe_sandbox_error(error)
    if isinstance(error, RequestValidationError):
        return _describe_validation_errors(error.errors())
    if isinstance(error, HTTPException):
        return _describe_http_exception(error)
    return ProblemResponse(
        _build_problem(500, "the service failed; its log has the error under this response's X-Request-ID")
    )


def register_error_handlers(app: FastAPI) -> None:
    """Render these exceptions as problems. `RequestIdMiddleware` handles all others."""

    async def respond(request: Request, error: Exception) -> Response:
        return describe_error(error).to_response()

    for kind in (SandboxError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, respond)


def _build_problem(status: int, detail: str) -> Problem:
    title = _STATUS_PHRASES.get(status) or HTTPStatus(status).phrase
    return Problem(title=title, status=status, detail=detail)


def _describe_http_exception(error: HTTPException) -> ProblemResponse:
    """Use the exception's `detail` if the route set one; replace Starlette's default phrase with advice."""
    detail = error.detail
    if detail == HTTPStatus(error.status_code).phrase:
        detail = _STATUS_ADVICE.get(error.status_code, "")
    return ProblemResponse(_build_problem(error.status_code, detail), error.headers or {})


def _describe_sandbox_error(error: SandboxError) -> ProblemResponse:
    code = error_codes.find_by_error(error)
    if isinstance(error, InfrastructureError):
        log.error("%s: %s", code.name, error)
    detail = code.detail or str(error)
    fields = []
    if isinstance(error, BadRequest) and error.field:
        fields = [ProblemField(field=_add_body_prefix(error.field), message=detail)]
    problem = Problem(type=code.type, title=code.title, status=code.status, detail=detail, errors=fields)
    return ProblemResponse(problem, _build_retry_headers(error))


def _add_body_prefix(field: str) -> str:
    """Prefix a field name with `body.`, unless it already says in which part of the request the field is."""
    return field if field == "body" or field.startswith(("body.", "path.", "header.")) else f"body.{field}"


def _build_retry_headers(error: SandboxError) -> dict[str, str]:
    if isinstance(error, Refused):
        return {"Retry-After": str(max(1, ceil(error.retry_after_s)))}
    if isinstance(error, QueueUnavailable):
        return {"Retry-After": "1"}
    return {}


def _describe_validation_errors(errors: Sequence[Mapping[str, Any]]) -> ProblemResponse:
    """Describe which parts of a request are invalid and why, without quoting the request."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return ProblemResponse(
            _build_problem(400, f"the body is not JSON: {first['msg'].removeprefix('Invalid JSON: ')}")
        )
    fields = [
        ProblemField(field=format_dotted_path(error["loc"]), message=_extract_message(error))
        for error in errors[:MAX_FIELDS]
    ]
    detail = f"{fields[0].field}: {fields[0].message}"
    if len(errors) > 1:
        detail += f" (and {len(errors) - 1} more)"
    problem = _build_problem(422, detail)
    return ProblemResponse(problem.model_copy(update={"errors": fields}))


def _extract_message(error: Mapping[str, Any]) -> str:
    if error["type"] == "union_tag_invalid":  # pydantic's message would quote the tag that was sent
        return f"must be one of {error['ctx']['expected_tags']}"
    return str(error["msg"]).removeprefix("Value error, ")
