"""Respond to a parsed submission: with its result, with one line per result, or with a job to fetch later."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from sandbox.api.dependencies import ApiContext, get_context
from sandbox.api.problems import describe_error
from sandbox.api.request_parsing import NDJSON, Preferences
from sandbox.api.result_waiter import OnResults, ResultWaiter
from sandbox.errors import SandboxError
from sandbox.queue.submission import Submission, Ticket
from sandbox.schema import Job, JobStatus, Lane, VerifyRequest
from sandbox.telemetry.rl_groups import record_batch

# Turning a larger batch into job batches would block the event loop for longer than passing it to a thread takes.
MAX_ITEMS_ON_EVENT_LOOP = 32


async def submit_and_respond(request: Request, submission: Submission, preferences: Preferences) -> Response:
    """Submit, and respond as the request's headers ask. With a callback, respond with the job's address."""
    if submission.callback is not None or preferences.respond_async:
        return await submit_and_respond_later(request, submission, preferences)
    context = get_context(request)
    if preferences.idempotency_key:
        submission = replace(submission, idempotency_key=preferences.idempotency_key)
    ticket = await _submit(context, submission, preferences.is_large)
    if submission.batch and submission.lane is Lane.RL:
        programs = [item for item in submission.requests if isinstance(item, VerifyRequest)]
        record_batch(context.metrics_registry, programs, ticket.results)
    keep = bool(preferences.idempotency_key)
    waiter = ResultWaiter(request, context, ticket, keep=keep, limit_s=preferences.wait_s)
    if submission.batch and preferences.ndjson:
        return NdjsonResponse(waiter, ticket)
    with waiter:
        results = await waiter.collect_results()
    # The results are sent exactly as the worker wrote them, without parsing or validating them again.
    return build_json_response(b'{"results":[' + b",".join(results) + b"]}" if submission.batch else results[0])


async def submit_and_respond_later(request: Request, submission: Submission, preferences: Preferences) -> Response:
    """Submit, and respond with the job's address."""
    context = get_context(request)
    key = preferences.idempotency_key
    submission = replace(submission, durable=True, idempotency_key=key)
    ticket = await _submit(context, submission)
    return await _build_accepted_response(request, context, ticket, repeatable=bool(key) or not submission.requests)


async def submit_and_wait(
    request: Request,
    submission: Submission,
    *,
    limit_s: float | None = None,
    is_large: bool = False,
    on_results: OnResults | None = None,
) -> list[bytes | SandboxError]:
    """Submit a batch and wait; return for each item its result as JSON, or its error.

    `on_results` is called without results once the batch is accepted, and then with the new results by their index.
    `is_large` is that of the request's `Preferences`: a large submission is encoded in a thread.
    If the request has an idempotency key, `submission.reward` is the reward request from which the items were built.
    The key identifies that request, even if it has no items. A submission with neither items nor a key is not sent.
    Raises the errors of `Service.submit` and `ResultWaiter`.
    """
    if not submission.requests and not submission.idempotency_key:
        return []
    context = get_context(request)
    if not submission.idempotency_key:
        submission = replace(submission, reward=None)
    ticket = await _submit(context, submission, is_large)
    with ResultWaiter(request, context, ticket, keep=bool(submission.idempotency_key), limit_s=limit_s) as waiter:
        if on_results is not None:
            on_results({})
        return await waiter.collect_results_and_errors(on_results)


def build_json_response(content: str | bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")


class NdjsonResponse(Response):
    """A response with one JSON line per item, sent when its result is ready. A failed item has a problem instead."""

    media_type = NDJSON

    def __init__(self, waiter: ResultWaiter, ticket: Ticket) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._waiter = waiter
        self._ticket = ticket

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        missing = set(range(len(self._ticket.results)))
        try:
            with self._waiter:
                async for indices in self._waiter:
                    missing.difference_update(indices)
                    lines = b"".join(map(self._render_line, indices))
                    await send({"type": "http.response.body", "body": lines, "more_body": True})
        except HTTPException as late:
            lines = b"".join(_render_problem_line(index, late) for index in sorted(missing))
            await send({"type": "http.response.body", "body": lines, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _render_line(self, index: int) -> bytes:
        try:
            return b'{"index":%d,"result":%s}\n' % (index, self._ticket.results[index].result())
        except SandboxError as error:
            return _render_problem_line(index, error)


def _render_problem_line(index: int, error: Exception) -> bytes:
    return b'{"index":%d,"problem":%s}\n' % (index, describe_error(error).problem.model_dump_json().encode())


async def _submit(context: ApiContext, submission: Submission, is_large: bool = False) -> Ticket:
    # What is stored is written to Redis before it is accepted, and large texts to files. Anything else only joins a
    # list, which costs less than handing it to a thread.
    stored = submission.durable or bool(submission.idempotency_key)
    if stored or is_large or len(submission.requests) > MAX_ITEMS_ON_EVENT_LOOP:
        return await asyncio.to_thread(context.service.submit, submission)
    return context.service.submit(submission)


async def _build_accepted_response(request: Request, context: ApiContext, ticket: Ticket, repeatable: bool) -> Response:
    """Build the 202 response. Look up the job's state, because the job of a repeated request may already have run."""
    job = Job(id=ticket.id, status=JobStatus.QUEUED)
    if repeatable:
        job = await asyncio.to_thread(context.service.get_job, ticket.id)
    response = build_json_response(job.model_dump_json(), 202)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/jobs/{ticket.id}"
    response.headers["Preference-Applied"] = "respond-async"
    return response
