"""Judge0 1.13: submissions alone and in batches, languages, statuses and what its SDK asks at the start.

A submission that is not waited for is a kept job, and its token that job's id. An expected output is no part of a job's
result, so it is kept as a set of one task, and the token ends in that set's id: whoever answers a token needs no memory
of having given it.
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

from sandbox.api import bodies
from sandbox.api.callbacks import callback_of
from sandbox.api.dialects import judge0_tables as tables
from sandbox.api.dialects.tongue import Dialect, Foreign, answered, executed, limits_of, made, select_debug_checks
from sandbox.api.door import Door, context_of
from sandbox.api.problems import Described
from sandbox.errors import BadRequest, NotFound
from sandbox.jobs.outbox import Style
from sandbox.rewards.request import TaskLookup
from sandbox.runner.contract import Status
from sandbox.schema import MAX_ITEMS, ExecuteRequest, ExecuteResult, Job, JobStatus, StageResult, TestCase
from sandbox.schema.callbacks import Callback, CallbackUrl
from sandbox.schema.reward import Task, TaskSet

TASK = "expected"
_BLANKS = b"\0 \t\r\v\f\n"
_SHOWN = ("token", "time", "memory", "stdout", "stderr", "compile_output", "message", "status")


def tell(told: Described) -> Response:
    problem = told.problem
    words = problem.detail or problem.title
    if problem.status == 503:
        response = answered({"error": "queue is full"}, 503)
        response.headers.update(told.headers)
        return response
    if problem.status == 422:
        fields = {each.field.rsplit(".", 1)[-1]: [each.message] for each in problem.errors}
        return answered(fields or {"error": words}, 422)
    return answered({"error": words}, problem.status)


DIALECT = Dialect("judge0", tell)


class Submission(Foreign):
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


class Batch(Foreign):
    submissions: list[Submission] = Field(min_length=1, max_length=MAX_ITEMS)


@dataclass(frozen=True, slots=True)
class Shape:
    """How an answer is to look: in base64 or not, and with which fields."""

    base64: bool
    fields: Sequence[str]

    @staticmethod
    def of(request: Request) -> Shape:
        given = request.query_params
        asked = [name.strip() for name in given.get("fields", "").split(",") if name.strip()]
        return Shape(given.get("base64_encoded", "false").lower() == "true", asked or _SHOWN)

    def pick(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "*" in self.fields:
            return answer
        return {name: answer.get(name) for name in self.fields}

    def told(self, data: bytes) -> str | None:
        if not data:
            return None
        return b64encode(data).decode() if self.base64 else data.decode(errors="replace")


@DIALECT.post("/submissions")
async def create(request: Request) -> Response:
    shape = Shape.of(request)
    asked = await bodies.read(request, Submission)
    program, expected = _program(asked, shape.base64), _expected(asked, shape.base64)
    callback = _callback(request, asked)
    if request.query_params.get("wait", "false").lower() == "true":
        if callback is not None:
            raise BadRequest("goes without wait=true here", "callback_url")
        (result,) = await executed(request, [program])
        answer = _ended(result, expected, shape)
        return answered(shape.pick({"token": _token(result.id.partition(".")[0], ""), **answer}), 201)
    token = await asyncio.to_thread(_kept, context_of(request).service, program, expected, callback)
    return answered({"token": token}, 201)


@DIALECT.post("/submissions/batch")
async def create_batch(request: Request) -> Response:
    shape = Shape.of(request)
    batch = await bodies.read(request, Batch)
    wanted = [
        (_program(each, shape.base64), _expected(each, shape.base64), _callback(request, each))
        for each in batch.submissions
    ]
    service = context_of(request).service
    tokens = await asyncio.to_thread(lambda: [_kept(service, *each) for each in wanted])
    return answered([{"token": token} for token in tokens], 201)


@DIALECT.get("/submissions/batch")
async def show_batch(request: Request) -> Response:
    shape = Shape.of(request)
    tokens = [token for token in request.query_params.get("tokens", "").split(",") if token]
    service = context_of(request).service
    return answered({"submissions": await asyncio.to_thread(lambda: [_shown(service, each, shape) for each in tokens])})


@DIALECT.get("/submissions/{token}")
async def show(request: Request) -> Response:
    token, shape = request.path_params["token"], Shape.of(request)
    answer = await asyncio.to_thread(_shown, context_of(request).service, token, shape)
    return answered(answer)


@DIALECT.get("/languages")
async def languages(request: Request) -> Response:
    return answered(tables.languages())


@DIALECT.get("/languages/{language_id}")
async def language(request: Request) -> Response:
    found = [each for each in tables.languages() if str(each["id"]) == request.path_params["language_id"]]
    if not found:
        raise NotFound("no such language")
    return answered(found[0])


@DIALECT.get("/statuses")
async def statuses(request: Request) -> Response:
    return answered([{"id": number, "description": words} for number, words in tables.STATUSES.items()])


@DIALECT.get("/about")
async def about(request: Request) -> Response:
    return answered({"version": tables.VERSION})


@DIALECT.get("/config_info")
async def config_info(request: Request) -> Response:
    return answered(tables.CONFIG)


@DIALECT.get("/system_info")
async def system_info(request: Request) -> Response:
    return answered({})


@DIALECT.get("/workers")
async def workers(request: Request) -> Response:
    readiness = await asyncio.to_thread(context_of(request).service.readiness)
    size = sum(readiness.queued.values())
    return answered([{"queue": "default", "size": size, "available": readiness.workers}])


def _program(asked: Submission, base64: bool) -> ExecuteRequest:
    _refuse(asked)
    kilobytes = tables.MEMORY_KB if asked.memory_limit is None else asked.memory_limit
    limits = limits_of(
        cpu_time_s=asked.cpu_time_limit or tables.CPU_TIME_S,
        wall_time_s=asked.wall_time_limit or tables.WALL_TIME_S,
        memory_mb=kilobytes / 1_024,
    ).model_dump(exclude_none=True)
    if asked.max_file_size is not None:
        limits["file_mb"] = max(1, ceil(asked.max_file_size / 1_024))
    if asked.max_processes_and_or_threads is not None:
        limits["processes"] = asked.max_processes_and_or_threads
    language = tables.language_of(asked.language_id)
    return made(
        ExecuteRequest,
        language=language,
        code=_text(asked.source_code, base64, "source_code"),
        stdin_base64=_bytes(asked.stdin or "", base64, "stdin"),
        args=_arguments(asked.command_line_arguments or ""),
        limits=limits,
        **select_debug_checks(language, "rust"),
    )


def _refuse(asked: Submission) -> None:
    """What we do not have is refused with its name; taken for nothing it would change what a result means."""
    for name in ("compiler_options", "additional_files", "redirect_stderr_to_stdout", "enable_network"):
        if getattr(asked, name):
            raise BadRequest("is not served here", name)


def _arguments(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BadRequest(f"cannot be split: {error}", "command_line_arguments") from error


def _bytes(text: str, base64: bool, name: str) -> bytes:
    if not base64:
        return text.encode()
    try:
        return b64decode(text)
    except ValueError as error:
        raise BadRequest("is not valid base64", name) from error


def _text(text: str, base64: bool, name: str) -> str:
    try:
        return _bytes(text, base64, name).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("is not UTF-8", name) from error


def _expected(asked: Submission, base64: bool) -> bytes | None:
    return None if asked.expected_output is None else _bytes(asked.expected_output, base64, "expected_output")


def _callback(request: Request, asked: Submission) -> Callback | None:
    """The peer calls with PUT and its own body; ours is signed beside."""
    callback = callback_of(request, asked.callback_url or None)
    return None if callback is None else callback.model_copy(update={"style": DIALECT.name})


def callback_body(tasks: TaskLookup) -> Style:
    """What a callback's body is: the submission with its fields in base64."""

    def body(job: Job, set_id: str) -> bytes:
        shape = Shape(True, _SHOWN)
        expected = _expected_of(tasks, set_id)
        return orjson.dumps(shape.pick({"token": _token(job.id, set_id), **_of_job(job, expected, shape)}))

    return body


def _kept(service: Door, program: ExecuteRequest, expected: bytes | None, callback: Callback | None) -> str:
    """The token of a submission that is made now and asked for later."""
    set_id = ""
    if expected is not None:
        task = Task(tests=[TestCase(stdin="", expected_base64=expected)])
        body = TaskSet(tasks={TASK: task}).model_dump_json(exclude_unset=True).encode()
        set_id = service.put_tasks(TaskSet.id_of(body), body).id
    if callback is not None:
        callback = callback.model_copy(update={"detail": set_id})
    return _token(service.submit("execute", [program], durable=True, callback=callback).id, set_id)


def _token(job_id: str, set_id: str) -> str:
    """A UUID as the peer's, and behind it the set with the expected output, if there is one."""
    try:
        name = str(UUID(hex=job_id))
    except ValueError:
        name = job_id
    return f"{name}-{set_id}" if set_id else name


def _parts(token: str) -> tuple[str, str]:
    name, set_id = (token[:-65], token[-64:]) if len(token) > 65 and token[-65] == "-" else (token, "")
    try:
        return UUID(name).hex, set_id
    except ValueError:
        return name, set_id


def _shown(service: Door, token: str, shape: Shape) -> dict[str, Any]:
    job_id, set_id = _parts(token)
    job = service.job(job_id)
    expected = None if job.result is None else _expected_of(service.tasks, set_id)
    return shape.pick({"token": token, **_of_job(job, expected, shape)})


def _expected_of(tasks: TaskLookup, set_id: str) -> bytes | None:
    if not set_id:
        return None
    reference = f"{set_id}/{TASK}"
    test = tasks([reference])[reference].tests[0]
    return test.expected_bytes if isinstance(test, TestCase) else None


def _of_job(job: Job, expected: bytes | None, shape: Shape) -> dict[str, Any]:
    if job.result is not None:
        return _ended(ExecuteResult.model_validate(job.result), expected, shape)
    if job.status is JobStatus.CANCELLED:
        return _answer(tables.INTERNAL_ERROR, message=shape.told(b"cancelled"))
    return _answer(tables.PROCESSING if job.status is JobStatus.RUNNING else tables.IN_QUEUE)


def _ended(result: ExecuteResult, expected: bytes | None, shape: Shape) -> dict[str, Any]:
    output, errors = _output(result)
    accepted = expected is None or _stripped(output) == _stripped(expected)
    message = result.message.encode() or (
        f"Exited with error status {result.exit_code}".encode() if result.exit_code else b""
    )
    compiler = b"" if result.compile is None else b"".join(reversed(_output(result.compile)))
    return _answer(
        tables.status_of(result.status, result.signal, accepted),
        stdout=shape.told(output),
        stderr=shape.told(errors),
        compile_output=shape.told(compiler),
        message=shape.told(message),
        exit_code=result.exit_code,
        exit_signal=result.signal,
        time=f"{result.usage.cpu_time_s:.3f}",
        wall_time=f"{result.usage.wall_time_s:.3f}",
        memory=round(result.usage.memory_mb * 1_024),
    ) | ({"time": None, "wall_time": None, "memory": None} if result.status is Status.COMPILE_ERROR else {})


def _stripped(text: bytes) -> bytes:
    """A text as the peer compares it: without the blanks at the end of each line and of the whole."""
    return b"\n".join(line.rstrip(_BLANKS) for line in text.split(b"\n")).rstrip(_BLANKS)


def _output(stage: StageResult) -> tuple[bytes, bytes]:
    stdout = stage.stdout.encode() if stage.stdout_base64 is None else stage.stdout_base64
    stderr = stage.stderr.encode() if stage.stderr_base64 is None else stage.stderr_base64
    return stdout, stderr


def _answer(status: int, **fields: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("stdout", "stderr", "compile_output", "message", "exit_code", "exit_signal", "time", "wall_time", "memory")
    )
    return {**nothing, **fields, "status": {"id": status, "description": tables.STATUSES[status]}}
