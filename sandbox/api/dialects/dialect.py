"""Code that all dialects share: a peer's paths, its error format, and calls to the service."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Sequence
from math import isfinite
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException

from sandbox import languages
from sandbox.api.fast_routes import FastRoute
from sandbox.api.problems import ProblemResponse, describe_error
from sandbox.api.responses import build_json_response, submit_and_wait
from sandbox.errors import BadRequest, SandboxError, UnknownLanguage
from sandbox.queue.submission import Submission
from sandbox.runner.contract import Status, Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, LimitsRequest, TestResult, VerifyRequest, VerifyResult
from sandbox.schema.error_paths import format_dotted_path
from sandbox.schema.wire import MAX_COMPILE_CPU_TIME_S, MAX_COMPILE_WALL_TIME_S

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
WebSocketEndpoint = Callable[[WebSocket], Coroutine[Any, Any, None]]
ModelType = TypeVar("ModelType", bound=BaseModel)


class PeerRequest(BaseModel):
    """A request in a peer's format. Fields that the dialect does not use are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class Dialect:
    """The paths of one peer, and a renderer for errors in that peer's format."""

    def __init__(self, name: str, render_error: Callable[[ProblemResponse], Response]) -> None:
        self.name = name
        self._error_renderer = render_error
        self._routes: list[tuple[str, str, Endpoint]] = []
        self._websockets: list[tuple[str, WebSocketEndpoint]] = []

    def get(self, *paths: str) -> Callable[[Endpoint], Endpoint]:
        return self._register("GET", *paths)

    def delete(self, path: str) -> Callable[[Endpoint], Endpoint]:
        return self._register("DELETE", path)

    def post(self, *paths: str) -> Callable[[Endpoint], Endpoint]:
        return self._register("POST", *paths)

    def add(self, method: str, path: str, endpoint: Endpoint) -> None:
        self._routes.append((method, path, endpoint))

    def include(self, part: Dialect) -> None:
        """Add the paths of a part, which renders its own errors."""
        self._routes += [(method, path, part._translate_errors(endpoint)) for method, path, endpoint in part._routes]

    def websocket(self, path: str) -> Callable[[WebSocketEndpoint], WebSocketEndpoint]:
        def register(endpoint: WebSocketEndpoint) -> WebSocketEndpoint:
            self._websockets.append((path, endpoint))
            return endpoint

        return register

    def render_error(self, problem: ProblemResponse) -> Response:
        """Render a problem in the peer's format."""
        return self._error_renderer(problem)

    def add_routes(self, router: APIRouter, prefix: str) -> None:
        """Add the paths below `prefix`. The OpenAPI document omits them: the peers have their own documentation."""
        for method, path, endpoint in self._routes:
            router.add_api_route(
                (prefix + path) or "/",
                self._translate_errors(endpoint),
                methods=[method],
                include_in_schema=False,
                route_class_override=FastRoute,
            )
        for path, connect in self._websockets:
            router.add_api_websocket_route(prefix + path, connect)

    def _register(self, method: str, *paths: str) -> Callable[[Endpoint], Endpoint]:
        def register(endpoint: Endpoint) -> Endpoint:
            self._routes += [(method, path, endpoint) for path in paths]
            return endpoint

        return register

    def _translate_errors(self, endpoint: Endpoint) -> Endpoint:
        async def respond(request: Request) -> Response:
            try:
                return await endpoint(request)
            except (SandboxError, RequestValidationError, HTTPException) as error:
                return self._error_renderer(describe_error(error))

        return respond


def render_detail(problem_response: ProblemResponse) -> Response:
    """Render a problem as FastAPI's own servers do: an object with `detail`."""
    problem = problem_response.problem
    response = encode_response({"detail": problem.detail or problem.title}, problem.status)
    response.headers.update(problem_response.headers)
    return response


def encode_response(value: Any, status: int = 200) -> Response:
    return build_json_response(to_json(value), status)


def to_json(value: Any) -> bytes:
    """Encode any value as JSON. orjson supports neither integers beyond 64 bits nor lone surrogates; json does."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(_replace_nan(value)).encode()


def _replace_nan(value: Any) -> Any:
    """Replace numbers that JSON cannot represent with null, as orjson does."""
    if isinstance(value, dict):
        return {str(name): _replace_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def parse_json_text(value: Any, field: str = "") -> Any:
    """Parse JSON text. Return a value that is not text, or text that is not JSON, unchanged. Raises BadRequest."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
    except RecursionError:
        raise BadRequest(f"{field or 'a JSON text'} is nested too deeply", field) from None


def build_model(model: type[ModelType], **fields: Any) -> ModelType:
    """Build one of the service's models from a peer's values. Raises BadRequest that names the field at fault."""
    return parse_model(model, fields)


def parse_model(model: type[ModelType], value: Any) -> ModelType:
    """Validate an object that a client sent, with any keys. Raises BadRequest that names the field at fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = format_dotted_path(first["loc"])
        raise BadRequest(f"{field}: {first['msg'].removeprefix('Value error, ')}", field) from None


def resolve_language(name: str, aliases: dict[str, str]) -> str:
    """Map a peer's language name to the service's; `aliases` lists the names that differ. Raises BadRequest."""
    try:
        return languages.get_language(aliases.get(name.lower(), name)).name
    except UnknownLanguage as error:
        known = ", ".join(languages.load_languages())
        raise BadRequest(f"unknown language {name[:64]!r}; use one of {known}", "language") from error


def select_debug_checks(language: str, only: str = "") -> dict[str, bool]:
    """Return `debug_checks` if the language supports them and, if `only` is set, is that language."""
    wanted = languages.get_language(language).with_debug_checks is not None and only in {"", language}
    return {"debug_checks": True} if wanted else {}


def build_limits(
    *,
    cpu_time_s: float | None = None,
    wall_time_s: float | None = None,
    memory_mb: float | None = None,
    compile_cpu_time_s: float | None = None,
    compile_wall_time_s: float | None = None,
) -> LimitsRequest:
    """Build limits from a peer's numbers. None, zero and negative numbers mean the default. Raises BadRequest.

    Clients of peers often ask for long compile times, so a compile time above the maximum is lowered instead of
    refused.
    """
    given = {
        "cpu_time_s": cpu_time_s,
        "wall_time_s": wall_time_s,
        "memory_mb": memory_mb,
        "compile_cpu_time_s": compile_cpu_time_s and min(compile_cpu_time_s, MAX_COMPILE_CPU_TIME_S),
        "compile_wall_time_s": compile_wall_time_s and min(compile_wall_time_s, MAX_COMPILE_WALL_TIME_S),
    }
    fields: dict[str, float] = {name: value for name, value in given.items() if value is not None and value > 0}
    if "memory_mb" in fields:
        fields["memory_mb"] = max(16, int(fields["memory_mb"]))
    return build_model(LimitsRequest, **fields)


async def execute_programs(
    request: Request, programs: Sequence[ExecuteRequest], limit_s: float | None = None
) -> list[ExecuteResult]:
    """Run programs and return their results in order; if the service fails, a result has status `internal_error`."""
    results = await submit_and_wait(request, Submission("execute", programs, batch=True), limit_s=limit_s)
    return [
        ExecuteResult(id="", status=Status.INTERNAL_ERROR, message=_extract_detail(result))
        if isinstance(result, SandboxError)
        else ExecuteResult.model_validate_json(result)
        for result in results
    ]


async def verify_submissions(
    request: Request, submissions: Sequence[VerifyRequest], limit_s: float | None = None
) -> list[VerifyResult]:
    """Judge submissions and return their results in order; if the service fails, all verdicts are `internal_error`."""
    results = await submit_and_wait(request, Submission("verify", submissions, batch=True), limit_s=limit_s)
    return [
        _build_lost_result(submission, _extract_detail(result))
        if isinstance(result, SandboxError)
        else VerifyResult.model_validate_json(result)
        for submission, result in zip(submissions, results, strict=True)
    ]


def _build_lost_result(submission: VerifyRequest, message: str) -> VerifyResult:
    tests = [TestResult(verdict=Verdict.INTERNAL_ERROR, message=message) for _ in submission.tests]
    return VerifyResult(id="", verdict=Verdict.INTERNAL_ERROR, passed=0, total=len(tests), score=0.0, tests=tests)


def _extract_detail(error: SandboxError) -> str:
    problem = describe_error(error).problem
    return problem.detail or problem.title
