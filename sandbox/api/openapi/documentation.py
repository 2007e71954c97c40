"""Build the OpenAPI document. Routes parse and return raw bytes, so their requests and responses are documented here.

Every model gets a schema under `components` and an example. Every operation lists its problems.
"""

from __future__ import annotations

from typing import Any, get_args

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from sandbox import schema
from sandbox.api.openapi.examples import EXAMPLES
from sandbox.api.openapi.models import REQUEST_MODELS, RESPONSE_MODELS
from sandbox.api.problems import PROBLEM_MEDIA_TYPE
from sandbox.api.request_parsing import NDJSON
from sandbox.schema.gpu import GpuJob

_PROBLEM_DESCRIPTIONS = {
    400: "the body is not valid JSON, or not valid gzip despite its Content-Encoding",
    401: "the API key is missing or unknown (if the service uses keys)",
    403: "the API key's role does not allow this",
    404: "no such job, task set, webhook, session or file, or it has expired",
    408: "the body took too long to arrive",
    409: "the submission was cancelled before it finished, or the session is busy",
    410: "the session has ended; `detail` says why",
    413: "the body is too large",
    415: "the body is not application/json, or has an unsupported Content-Encoding",
    422: "the request is invalid, such as a missing field or an unknown language; `errors` lists the fields at fault",
    429: "the API key exceeds its rate or its quota; `Retry-After` says when to try again",
    500: "the service failed",
    502: "a box or the container engine failed",
    503: "the queue is full, out of storage or unavailable, or no worker can run programs; `Retry-After` says when to"
    " try again",
    504: "no result within the time limit",
    507: "the API key exceeds its storage quota; `Retry-After` says when to try again",
}
_SUBMISSION_STATUSES = (400, 401, 408, 409, 413, 415, 422, 429, 502, 503, 504, 507)

_SUBMISSION_HEADERS = [
    {
        "name": "Prefer",
        "in": "header",
        "description": "`respond-async`: answer 202 at once and store the result under `/jobs`; `wait=N`: wait at most"
        " N seconds",
        "schema": {"type": "string"},
        "example": "respond-async",
    },
    {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "a repeated request with the same key gets the job and results of the first one; a different"
        " request with the same key gets 422",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        "example": "step-17-prompt-3",
    },
]
_SESSION_KEY_HEADER = {
    **_SUBMISSION_HEADERS[1],
    "description": "for an hour, a repeated request with the same key gets the sessions of the first one; a different"
    " request with the same key gets 422",
}
_REQUEST_ID_HEADER = {
    "name": "X-Request-ID",
    "in": "header",
    "description": "1 to 128 visible ASCII characters; returned with the response and logged; generated if missing"
    " or invalid",
    "schema": {"type": "string"},
    "example": "rollout-4711",
}


def document_submission(body: type[BaseModel], result: type[BaseModel], *problems: int) -> dict[str, Any]:
    """Return `responses` and `openapi_extra` of a route that takes one submission."""
    return _build_submission(body, {"application/json": _build_content(result)}, *problems)


def document_batch_submission(
    body: type[BaseModel], results: type[BaseModel], result: type[BaseModel]
) -> dict[str, Any]:
    """Return `responses` and `openapi_extra` of a route that takes a batch and can also respond line by line."""
    line = {
        "type": "object",
        "required": ["index"],
        "properties": {
            "index": {"type": "integer"},
            "result": _build_reference(result),
            "problem": _build_reference(schema.Problem),
        },
        "description": "one object per line, with an item's index and its result or its problem",
    }
    return _build_submission(body, {"application/json": _build_content(results), NDJSON: {"schema": line}})


def document_stream(line: type[BaseModel], event: type[BaseModel]) -> dict[str, Any]:
    """Return the content of a response that can also arrive as JSON lines of `line`, or as events of `event`."""
    return {
        NDJSON: {"schema": _build_reference(line)},
        "text/event-stream": {"schema": _build_reference(event)},
    }


def document_upload(body: type[BaseModel], result: type[BaseModel], *problems: int) -> dict[str, Any]:
    """Return `responses` and `openapi_extra` of a route that stores its body."""
    return {
        "responses": _build_ok_responses(result, 400, 401, 408, 413, 415, 422, 503, 507, *problems),
        "openapi_extra": {"parameters": [_REQUEST_ID_HEADER], "requestBody": _build_request_body(body)},
    }


def document_response(result: Any, *problems: int, alternative_status: int | None = None) -> dict[str, Any]:
    """Return `responses` and `openapi_extra` of a route without a body."""
    ok = {"description": "OK", "content": {"application/json": _build_content(result)}}
    responses: dict[int | str, dict[str, Any]] = {200: ok, **_build_problem_responses(401, *problems, 500)}
    if alternative_status is not None:
        responses[alternative_status] = {**ok, "description": "the same body, if the service is not ready"}
    return {"responses": responses, "openapi_extra": {"parameters": [_REQUEST_ID_HEADER]}}


def document_gpu_submission(body: type[BaseModel]) -> dict[str, Any]:
    """Return the keyword arguments of a route that starts a GPU job and always responds with status 202."""
    location = {"description": "the path of the job: `/jobs/{id}`", "schema": {"type": "string"}}
    accepted = {
        "description": "accepted",
        "headers": {"Location": location},
        "content": {"application/json": _build_content(GpuJob)},
    }
    return {
        "status_code": 202,
        "responses": {202: accepted, **_build_problem_responses(400, 401, 403, 408, 413, 415, 422, 503, 500)},
        "openapi_extra": {
            "parameters": [_SUBMISSION_HEADERS[1], _REQUEST_ID_HEADER],
            "requestBody": _build_request_body(body),
        },
    }


def document_job_events() -> dict[str, Any]:
    """Return `responses` and `openapi_extra` of a route that streams a job's events."""
    operation = document_event_stream(GpuJob)
    del operation["responses"][403]  # a client may follow its own jobs, whatever its key's role is
    operation["responses"] |= _build_problem_responses(401, 404, 422)
    last = {
        "name": "Last-Event-ID",
        "in": "header",
        "description": "number of the last event received; the stream continues after it",
        "schema": {"type": "string"},
        "example": "41",
    }
    return {**operation, "openapi_extra": {"parameters": [last, _REQUEST_ID_HEADER]}}


def document_session_call(
    body: type[BaseModel] | str | None,
    result: type[BaseModel] | str | None,
    *problems: int,
    status: int = 200,
    has_key: bool = False,
) -> dict[str, Any]:
    """Return the keyword arguments of a session route. A body or result that is not JSON is given as a media type.

    With `has_key`, the route takes an Idempotency-Key.
    """
    answered = [401, 404, 409, 410, 422, 429, 502, 503, *problems, 500]
    if body is not None:
        answered += [400, 408, 413, 415]
    ok: dict[str, Any] = {"description": "done", "content": {}}
    if result is not None:
        ok["content"] = _build_typed_content(result)
    extra: dict[str, Any] = {"parameters": [*([_SESSION_KEY_HEADER] if has_key else []), _REQUEST_ID_HEADER]}
    if body is not None:
        extra["requestBody"] = {"required": True, "content": _build_typed_content(body)}
    responses: dict[int | str, dict[str, Any]] = {status: ok, **_build_problem_responses(*sorted(set(answered)))}
    return {"status_code": status, "responses": responses, "openapi_extra": extra}


def _build_typed_content(model: type[BaseModel] | str) -> dict[str, Any]:
    if isinstance(model, str):
        return {model: {"schema": {"type": "string", "format": "binary"}}}
    return {"application/json": _build_content(model)}


def document_no_content(*problems: int) -> dict[str, Any]:
    """Return the keyword arguments of a route that takes no body and responds without content."""
    responses: dict[int | str, dict[str, Any]] = {204: {"description": "done", "content": {}}}
    return {
        "status_code": 204,
        "responses": {**responses, **_build_problem_responses(401, *problems, 500)},
        "openapi_extra": {"parameters": [_REQUEST_ID_HEADER]},
    }


def document_event_stream(model: type[BaseModel]) -> dict[str, Any]:
    """Return `responses` and `openapi_extra` of a route that streams events of `model` until the client disconnects."""
    content = {"text/event-stream": {"schema": _build_reference(model)}}
    responses = {200: {"description": "OK", "content": content}, **_build_problem_responses(401, 403, 503, 500)}
    return {"responses": responses, "openapi_extra": {"parameters": [_REQUEST_ID_HEADER]}}


def document_metrics() -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}, "example": "sandbox_ready 1.0\n"}}
    responses = {200: {"description": "OK", "content": content}, **_build_problem_responses(401, 403, 500)}
    return {"responses": responses, "openapi_extra": {"parameters": [_REQUEST_ID_HEADER]}}


class DocumentedApp(FastAPI):
    """A FastAPI application whose OpenAPI document includes the models that routes handle as raw bytes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Skips FastAPI's `__call__`, which searches the environment for telemetry providers at every request (30 us).
        await Starlette.__call__(self, scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            document = super().openapi()
            document.setdefault("components", {}).setdefault("schemas", {}).update(_build_schemas())
        assert self.openapi_schema is not None
        return self.openapi_schema


def _build_schemas() -> dict[str, Any]:
    modes: list[tuple[type[Any], JsonSchemaMode]] = [(model, "validation") for model in REQUEST_MODELS]
    modes += [(model, "serialization") for model in RESPONSE_MODELS]
    inputs = [(model.__name__, mode, TypeAdapter[Any](model)) for model, mode in modes]
    _, found = TypeAdapter.json_schemas(inputs, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = found["$defs"]
    for name, example in EXAMPLES.items():
        schemas[name].setdefault("examples", [example])
    return schemas


def _build_submission(body: type[BaseModel], content: dict[str, Any], *problems: int) -> dict[str, Any]:
    location = {"description": "the path of the job: `/jobs/{id}`", "schema": {"type": "string"}}
    applied = {"description": "`respond-async`", "schema": {"type": "string"}}
    accepted = {
        "description": "accepted, with `Prefer: respond-async` or a callback",
        "headers": {"Location": location, "Preference-Applied": applied},
        "content": {"application/json": _build_content(schema.Job)},
    }
    return {
        "responses": {
            200: {"description": "the result", "content": content},
            202: accepted,
            **_build_problem_responses(*_SUBMISSION_STATUSES, *problems, 500),
        },
        "openapi_extra": {
            "parameters": [*_SUBMISSION_HEADERS, _REQUEST_ID_HEADER],
            "requestBody": _build_request_body(body),
        },
    }


def _build_ok_responses(result: type[BaseModel], *problems: int) -> dict[int | str, dict[str, Any]]:
    ok = {"description": "OK", "content": {"application/json": _build_content(result)}}
    return {200: ok, **_build_problem_responses(401, *problems, 500)}


def _build_request_body(model: type[BaseModel]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": _build_content(model)}}


def _build_problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {PROBLEM_MEDIA_TYPE: _build_content(schema.Problem)}
    return {status: {"description": _PROBLEM_DESCRIPTIONS[status], "content": content} for status in statuses}


def _build_content(model: Any) -> dict[str, Any]:
    if members := get_args(model):  # list[Model]
        return {"schema": {"type": "array", "items": _build_reference(members[0])}}
    return {"schema": _build_reference(model)}


def _build_reference(model: type[Any]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
