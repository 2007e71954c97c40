"""Judge0 1.13: single submissions and batches, languages, statuses, and the information that its SDK loads at start.

A submission without `wait` becomes a durable job, and its token is the job's id. A job's result has no expected output,
so that is stored as a task set with one task, and the token ends with the set's id. Any API process can therefore
answer a token without knowing who created it.
"""

from __future__ import annotations

import asyncio
import shlex
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any
from uuid import UUID

import orjson
from fastapi import Request, Response
from pydantic import Field

from sandbox.api import request_parsing
from sandbox.api.dependencies import get_context
from sandbox.api.dialects import judge0_catalog as tables
from sandbox.api.dialects.dialect import (
    Dialect,
    PeerRequest,
    build_limits,
    build_model,
    encode_response,
    execute_programs,
    select_debug_checks,
)
from sandbox.api.problems import ProblemResponse
from sandbox.api.routes.webhooks import build_callback
from sandbox.errors import BadRequest, NotFound
from sandbox.queue.submission import Submission as QueueSubmission
from sandbox.rewards.task_lookup import TaskLookup
from sandbox.runner.contract import Status
from sandbox.schema import MAX_ITEMS, ExecuteRequest, ExecuteResult, Job, JobStatus, StageResult, TestCase
from sandbox.schema.callbacks import Callback, CallbackUrl
from sandbox.schema.reward import Task, TaskSet
from sandbox.service import Service
from sandbox.webhooks.queue import BodyFormatter

TASK_NAME = "expected"
_BLANKS = b"\0 \t\r\v\f\n"
_DEFAULT_FIELDS = ("token", "time", "memory", "stdout", "stderr", "compile_output", "message", "status")


def render_error(problem_response: ProblemResponse) -> Response:
    problem = problem_response.problem
    message = problem.detail or problem.title
    if problem.status == 503:
        response = encode_response({"error": "queue is full"}, 503)
        response.headers.update(problem_response.headers)
        return response
    if problem.status == 422:
        fields = {each.field.rsplit(".", 1)[-1]: [each.message] for each in problem.errors}
        return encode_response(fields or {"error": message}, 422)
    return encode_response({"error": message}, problem.status)


DIALECT = Dialect("judge0", render_error)


class Submission(PeerRequest):
    source_code: str
    language_id: int
    stdin: str | None = None
    expected_output: str | None = None
    command_line_arguments: str | None = None
    cpu_time_limit: float | None = Field(None, le=300)
    wall_time_limit: float | None = Field(None, le=900)
    memory_limit: float | None = None
    max_processes_and_or_threads: int | None = None
    max_file_size: int | None = None
    compiler_options: str | None = None
    additional_files: str | None = None
    callback_url: CallbackUrl | None = None
    redirect_stderr_to_stdout: bool | None = None
    enable_network: bool | None = None


class Batch(PeerRequest):
    submissions: list[Submission] = Field(min_length=1, max_length=MAX_ITEMS)


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The format of a response: whether texts are in base64, and which fields it has."""

    base64: bool
    fields: Sequence[str]

    @staticmethod
    def from_request(request: Request) -> ResponseFormat:
        given = request.query_params
        names = [name.strip() for name in given.get("fields", "").split(",") if name.strip()]
        return ResponseFormat(given.get("base64_encoded", "false").lower() == "true", names or _DEFAULT_FIELDS)

    def select_fields(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "*" in self.fields:
            return answer
        return {name: answer.get(name) for name in self.fields}

    def encode_text(self, data: bytes) -> str | None:
        if not data:
            return None
        return b64encode(data).decode() if self.base64 else data.decode(errors="replace")


@DIALECT.post("/submissions")
async def create(request: Request) -> Response:
    response_format = ResponseFormat.from_request(request)
    submission = await request_parsing.parse_body(request, Submission)
    program, expected = (
        _build_execute_request(submission, response_format.base64),
        _decode_expected(submission, response_format.base64),
    )
    callback = _build_peer_callback(request, submission)
    if request.query_params.get("wait", "false").lower() == "true":
        if callback is not None:
            raise BadRequest("cannot be combined with wait=true", "callback_url")
        (result,) = await execute_programs(request, [program])
        answer = _render_result(result, expected, response_format)
        return encode_response(
            response_format.select_fields({"token": _format_token(result.id.partition(".")[0], ""), **answer}), 201
        )
    token = await asyncio.to_thread(_submit_durable, get_context(request).service, program, expected, callback)
    return encode_response({"token": token}, 201)


@DIALECT.post("/submissions/batch")
async def create_batch(request: Request) -> Response:
    response_format = ResponseFormat.from_request(request)
    batch = await request_parsing.parse_body(request, Batch)
    wanted = [
        (
            _build_execute_request(each, response_format.base64),
            _decode_expected(each, response_format.base64),
            _build_peer_callback(request, each),
        )
        for each in batch.submissions
    ]
    service = get_context(request).service
    tokens = await asyncio.to_thread(lambda: [_submit_durable(service, *each) for each in wanted])
    return encode_response([{"token": token} for token in tokens], 201)


@DIALECT.get("/submissions/batch")
async def show_batch(request: Request) -> Response:
    response_format = ResponseFormat.from_request(request)
    tokens = [token for token in request.query_params.get("tokens", "").split(",") if token]
    service = get_context(request).service
    return encode_response(
        {
            "submissions": await asyncio.to_thread(
                lambda: [_render_submission(service, each, response_format) for each in tokens]
            )
        }
    )


@DIALECT.get("/submissions/{token}")
async def show(request: Request) -> Response:
    token, response_format = request.path_params["token"], ResponseFormat.from_request(request)
    answer = await asyncio.to_thread(_render_submission, get_context(request).service, token, response_format)
    return encode_response(answer)


@DIALECT.get("/languages")
async def languages(request: Request) -> Response:
    return encode_response(tables.list_languages())


@DIALECT.get("/languages/{language_id}")
async def language(request: Request) -> Response:
    found = [each for each in tables.list_languages() if str(each["id"]) == request.path_params["language_id"]]
    if not found:
        raise NotFound("unknown language id; see GET /languages")
    return encode_response(found[0])


@DIALECT.get("/statuses")
async def statuses(request: Request) -> Response:
    return encode_response(
        [{"id": number, "description": description} for number, description in tables.STATUSES.items()]
    )


@DIALECT.get("/about")
async def about(request: Request) -> Response:
    return encode_response({"version": tables.VERSION})


@DIALECT.get("/config_info")
async def config_info(request: Request) -> Response:
    return encode_response(tables.CONFIG)


@DIALECT.get("/system_info")
async def system_info(request: Request) -> Response:
    return encode_response({})


@DIALECT.get("/workers")
async def workers(request: Request) -> Response:
    readiness = await asyncio.to_thread(get_context(request).service.check_readiness)
    size = sum(readiness.queued.values())
    return encode_response([{"queue": "default", "size": size, "available": readiness.workers}])


def _build_execute_request(submission: Submission, base64: bool) -> ExecuteRequest:
    _reject_unsupported(submission)
    kilobytes = tables.DEFAULT_MEMORY_KB if submission.memory_limit is None else submission.memory_limit
    limits = build_limits(
        cpu_time_s=submission.cpu_time_limit or tables.DEFAULT_CPU_TIME_S,
        wall_time_s=submission.wall_time_limit or tables.DEFAULT_WALL_TIME_S,
        memory_mb=kilobytes / 1_024,
    ).model_dump(exclude_none=True)
    if submission.max_file_size is not None:
        limits["file_mb"] = max(1, ceil(submission.max_file_size / 1_024))
    if submission.max_processes_and_or_threads is not None:
        limits["processes"] = submission.max_processes_and_or_threads
    language = tables.find_language(submission.language_id)
    return build_model(
        ExecuteRequest,
        language=language,
        code=_decode_text(submission.source_code, base64, "source_code"),
        stdin_base64=_decode_bytes(submission.stdin or "", base64, "stdin"),
        args=_split_arguments(submission.command_line_arguments or ""),
        limits=limits,
        **select_debug_checks(language, "rust"),
    )


def _reject_unsupported(submission: Submission) -> None:
    """Reject unsupported fields. Ignoring them would change the meaning of results."""
    for name in ("compiler_options", "additional_files", "redirect_stderr_to_stdout", "enable_network"):
        if getattr(submission, name):
            raise BadRequest("is not supported", name)


def _split_arguments(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BadRequest(f"cannot be split: {error}", "command_line_arguments") from error


def _decode_bytes(text: str, base64: bool, name: str) -> bytes:
    if not base64:
        return text.encode()
    try:
        return b64decode(text)
    except ValueError as error:
        raise BadRequest("is not valid base64", name) from error


def _decode_text(text: str, base64: bool, name: str) -> str:
    try:
        return _decode_bytes(text, base64, name).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("is not UTF-8", name) from error


def _decode_expected(submission: Submission, base64: bool) -> bytes | None:
    return (
        None
        if submission.expected_output is None
        else _decode_bytes(submission.expected_output, base64, "expected_output")
    )


def _build_peer_callback(request: Request, submission: Submission) -> Callback | None:
    """Build a callback with the peer's PUT request and body; it is also signed as a webhook."""
    callback = build_callback(request, submission.callback_url or None)
    return None if callback is None else callback.model_copy(update={"style": DIALECT.name})


def make_callback_renderer(tasks: TaskLookup) -> BodyFormatter:
    """Return a formatter for callback bodies: the submission with its texts in base64."""

    def render_body(job: Job, set_id: str) -> bytes:
        response_format = ResponseFormat(True, _DEFAULT_FIELDS)
        expected = _load_expected(tasks, set_id)
        return orjson.dumps(
            response_format.select_fields(
                {"token": _format_token(job.id, set_id), **_render_job(job, expected, response_format)}
            )
        )

    return render_body


def _submit_durable(
    service: Service, program: ExecuteRequest, expected: bytes | None, callback: Callback | None
) -> str:
    """Submit a program to be fetched later, and return its token."""
    set_id = ""
    if expected is not None:
        task = Task(tests=[TestCase(stdin="", expected_base64=expected)])
        body = TaskSet(tasks={TASK_NAME: task}).model_dump_json(exclude_unset=True).encode()
        set_id = service.put_tasks(TaskSet.compute_id(body), body).id
    if callback is not None:
        callback = callback.model_copy(update={"detail": set_id})
    ticket = service.submit(QueueSubmission("execute", [program], durable=True, callback=callback))
    return _format_token(ticket.id, set_id)


def _format_token(job_id: str, set_id: str) -> str:
    """Return a UUID like the peer's, followed by the id of the set with the expected output, if there is one."""
    try:
        name = str(UUID(hex=job_id))
    except ValueError:
        name = job_id
    return f"{name}-{set_id}" if set_id else name


def _parse_token(token: str) -> tuple[str, str]:
    name, set_id = (token[:-65], token[-64:]) if len(token) > 65 and token[-65] == "-" else (token, "")
    try:
        return UUID(name).hex, set_id
    except ValueError:
        return name, set_id


def _render_submission(service: Service, token: str, response_format: ResponseFormat) -> dict[str, Any]:
    job_id, set_id = _parse_token(token)
    job = service.get_job(job_id)
    expected = None if job.result is None else _load_expected(service.get_tasks, set_id)
    return response_format.select_fields({"token": token, **_render_job(job, expected, response_format)})


def _load_expected(tasks: TaskLookup, set_id: str) -> bytes | None:
    if not set_id:
        return None
    reference = f"{set_id}/{TASK_NAME}"
    test = tasks([reference])[reference].tests[0]
    return test.expected_bytes if isinstance(test, TestCase) else None


def _render_job(job: Job, expected: bytes | None, response_format: ResponseFormat) -> dict[str, Any]:
    if job.result is not None:
        return _render_result(ExecuteResult.model_validate(job.result), expected, response_format)
    if job.status is JobStatus.CANCELLED:
        return _build_answer(tables.INTERNAL_ERROR, message=response_format.encode_text(b"cancelled"))
    return _build_answer(tables.PROCESSING if job.status is JobStatus.RUNNING else tables.IN_QUEUE)


def _render_result(result: ExecuteResult, expected: bytes | None, response_format: ResponseFormat) -> dict[str, Any]:
    output, errors = _read_output(result)
    accepted = expected is None or _strip_blanks(output) == _strip_blanks(expected)
    message = result.message.encode() or (
        f"Exited with error status {result.exit_code}".encode() if result.exit_code else b""
    )
    compiler = b"" if result.compile is None else b"".join(reversed(_read_output(result.compile)))
    return _build_answer(
        tables.map_status(result.status, result.signal, accepted),
        stdout=response_format.encode_text(output),
        stderr=response_format.encode_text(errors),
        compile_output=response_format.encode_text(compiler),
        message=response_format.encode_text(message),
        exit_code=result.exit_code,
        exit_signal=result.signal,
        time=f"{result.usage.cpu_time_s:.3f}",
        wall_time=f"{result.usage.wall_time_s:.3f}",
        memory=round(result.usage.memory_mb * 1_024),
    ) | ({"time": None, "wall_time": None, "memory": None} if result.status is Status.COMPILE_ERROR else {})


def _strip_blanks(text: bytes) -> bytes:
    """Strip a text as the peer does before comparing: blanks at the end of each line and of the text."""
    return b"\n".join(line.rstrip(_BLANKS) for line in text.split(b"\n")).rstrip(_BLANKS)


def _read_output(stage: StageResult) -> tuple[bytes, bytes]:
    stdout = stage.stdout.encode() if stage.stdout_base64 is None else stage.stdout_base64
    stderr = stage.stderr.encode() if stage.stderr_base64 is None else stage.stderr_base64
    return stdout, stderr


def _build_answer(status: int, **fields: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("stdout", "stderr", "compile_output", "message", "exit_code", "exit_signal", "time", "wall_time", "memory")
    )
    return {**nothing, **fields, "status": {"id": status, "description": tables.STATUSES[status]}}
