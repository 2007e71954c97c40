"""Judge0 1.13: single submissions and batches, languages, statuses, and the information that its SDK loads at start.

A submission without `wait` becomes a durable job, and its token is the job's id. A job's result does not include the
expected output, so the service stores the expected output as a task set with one task and appends the set's id to the
token. Any API process can therefore look up a token that another process created.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import orjson
from fastapi import Request, Response

from sandbox.api import request_parsing
from sandbox.api.dependencies import get_context
from sandbox.api.dialects import judge0_catalog as tables
from sandbox.api.dialects.dialect import Dialect, encode_response, execute_programs
from sandbox.api.dialects.judge0_result import DEFAULT_FIELDS, ResponseFormat, render_job, render_result
from sandbox.api.dialects.judge0_submission import Batch, Submission, build_execute_request, decode_expected
from sandbox.api.problems import ProblemResponse
from sandbox.api.routes.webhooks import build_callback
from sandbox.errors import BadRequest, NotFound
from sandbox.queue.submission import Submission as QueueSubmission
from sandbox.rewards.task_lookup import TaskLookup
from sandbox.schema import ExecuteRequest, Job, TestCase
from sandbox.schema.callbacks import Callback
from sandbox.schema.reward import Task, TaskSet
from sandbox.service import Service
from sandbox.webhooks.queue import BodyFormatter

TASK_NAME = "expected"


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


@DIALECT.post("/submissions")
async def create(request: Request) -> Response:
    response_format = ResponseFormat.from_request(request)
    submission = await request_parsing.parse_body(request, Submission)
    program, expected = (
        build_execute_request(submission, response_format.base64),
        decode_expected(submission, response_format.base64),
    )
    callback = _build_peer_callback(request, submission)
    if request.query_params.get("wait", "false").lower() == "true":
        if callback is not None:
            raise BadRequest("cannot be combined with wait=true", "callback_url")
        (result,) = await execute_programs(request, [program])
        answer = render_result(result, expected, response_format)
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
            build_execute_request(each, response_format.base64),
            decode_expected(each, response_format.base64),
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
    return encode_response(tables.build_config(get_context(request).settings))


@DIALECT.get("/system_info")
async def system_info(request: Request) -> Response:
    return encode_response({})


@DIALECT.get("/workers")
async def workers(request: Request) -> Response:
    readiness = await asyncio.to_thread(get_context(request).service.check_readiness)
    size = sum(readiness.queued.values())
    return encode_response([{"queue": "default", "size": size, "available": readiness.workers}])


def _build_peer_callback(request: Request, submission: Submission) -> Callback | None:
    """Build a callback with the peer's PUT request and body; it is also signed as a webhook."""
    callback = build_callback(request, submission.callback_url or None)
    return None if callback is None else callback.model_copy(update={"style": DIALECT.name})


def make_callback_renderer(tasks: TaskLookup) -> BodyFormatter:
    """Return a formatter for callback bodies: the submission with its texts in base64."""

    def render_body(job: Job, set_id: str) -> bytes:
        response_format = ResponseFormat(True, DEFAULT_FIELDS)
        expected = _load_expected(tasks, set_id)
        return orjson.dumps(
            response_format.select_fields(
                {"token": _format_token(job.id, set_id), **render_job(job, expected, response_format)}
            )
        )

    return render_body


def _submit_durable(
    service: Service, program: ExecuteRequest, expected: bytes | None, callback: Callback | None
) -> str:
    """Submit a program whose result is fetched later, and return its token."""
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
    return response_format.select_fields({"token": token, **render_job(job, expected, response_format)})


def _load_expected(tasks: TaskLookup, set_id: str) -> bytes | None:
    if not set_id:
        return None
    reference = f"{set_id}/{TASK_NAME}"
    test = tasks([reference])[reference].tests[0]
    return test.expected_bytes if isinstance(test, TestCase) else None
