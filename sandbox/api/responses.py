"""Respond to a parsed submission: with its result, with results line by line, or with a job to fetch later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from sandbox.api import request_parsing
from sandbox.api.dependencies import ApiContext, get_context
from sandbox.api.problems import describe_error
from sandbox.api.result_waiter import ResultWaiter
from sandbox.errors import SandboxError
from sandbox.schema import Job, JobStatus, Lane, VerifyRequest
from sandbox.schema.callbacks import Callback
from sandbox.schema.reward import RewardRequest
from sandbox.schema.submissions import SubmissionKind
from sandbox.service import SubmissionRequest as Submission
from sandbox.service import Ticket
from sandbox.telemetry.rl_groups import record_batch

# Turning a larger batch into job batches would block the event loop for longer than passing it to a thread takes.
MAX_ITEMS_ON_EVENT_LOOP = 32


async def submit_and_respond(
    request: Request,
    kind: SubmissionKind,
    items: Sequence[Submission],
    batch: bool = False,
    callback: Callback | None = None,
) -> Response:
    """Submit the items and respond as the request's headers ask. With a callback, respond at once."""
    if callback is not None or request_parsing.prefers_async(request):
        return await submit_and_respond_later(request, kind, items, batch, callback)
    context = get_context(request)
    key = request_parsing.read_idempotency_key(request)
    ticket = await _submit(context, kind, items, False, batch, key, request_parsing.is_large(request))
    if batch and items[0].priority is Lane.RL:
        record_batch(
            context.metrics_registry, [item for item in items if isinstance(item, VerifyRequest)], ticket.results
        )
    limit_s = request_parsing.read_wait_limit_s(request, context.settings.request_timeout_s)
    waiter = ResultWaiter(request, context, ticket, keep=bool(key), limit_s=limit_s)
    if batch and request_parsing.accepts_ndjson(request):
        return NdjsonResponse(waiter, ticket)
    with waiter:
        results = await waiter.collect_results()
        # The results are sent exactly as the worker wrote them, without parsing or validating them again.
    return build_json_response(b'{"results":[' + b",".join(results) + b"]}" if batch else results[0])


async def submit_and_respond_later(
    request: Request,
    kind: SubmissionKind,
    items: Sequence[Submission],
    batch: bool,
    callback: Callback | None = None,
    reward: RewardRequest | None = None,
) -> Response:
    """Submit the items and respond with the location of the future result."""
    context = get_context(request)
    key = request_parsing.read_idempotency_key(request)
    ticket = await asyncio.to_thread(
        lambda: context.service.submit(
            kind, items, durable=True, batch=batch, idempotency_key=key, callback=callback, reward=reward
        )
    )
    return await _build_accepted_response(request, context, ticket, repeatable=bool(key) or not items)


async def submit_and_wait(
    request: Request,
    kind: SubmissionKind,
    items: Sequence[Submission],
    *,
    idempotency_key: str = "",
    reward: RewardRequest | None = None,
    limit_s: float | None = None,
) -> list[bytes | SandboxError]:
    """Submit items as a batch and wait. Return each item's result as JSON, or the error in its place.

    `reward` is the request that the items were made from. With an idempotency key, the key stands for that request,
    even if it has no items. Raises the errors of `SubmissionService.submit` and `ResultWaiter`. Without items and
    without a key, nothing is submitted.
    """
    if not items and not idempotency_key:
        return []
    context = get_context(request)
    ticket = await _submit(
        context,
        kind,
        items,
        durable=False,
        batch=True,
        idempotency_key=idempotency_key,
        reward=reward if idempotency_key else None,
    )
    with ResultWaiter(request, context, ticket, keep=bool(idempotency_key), limit_s=limit_s) as waiter:
        return await waiter.collect_results_and_errors()


def build_json_response(content: str | bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")


class NdjsonResponse(Response):
    """A response with one JSON line per item, sent when its result is ready. A failed item has a problem instead."""

    media_type = request_parsing.NDJSON

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


async def _submit(
    context: ApiContext,
    kind: SubmissionKind,
    items: Sequence[Submission],
    durable: bool,
    batch: bool,
    idempotency_key: str,
    large: bool = False,
    reward: RewardRequest | None = None,
) -> Ticket:
    def submit() -> Ticket:
        return context.service.submit(
            kind, items, durable=durable, batch=batch, idempotency_key=idempotency_key, reward=reward
        )

    # Durable items are written to Redis, and large texts to payload files, before they are accepted. That belongs in a
    # thread. All other items are only appended to a list, which costs less than a thread.
    if durable or idempotency_key or large or len(items) > MAX_ITEMS_ON_EVENT_LOOP:
        return await asyncio.to_thread(submit)
    return submit()


async def _build_accepted_response(request: Request, context: ApiContext, ticket: Ticket, repeatable: bool) -> Response:
    """Build the 202 response. A repeated request's job may already have run, so its state is looked up."""
    job = Job(id=ticket.id, status=JobStatus.QUEUED)
    if repeatable:
        job = await asyncio.to_thread(context.service.get_job, ticket.id)
    response = build_json_response(job.model_dump_json(), 202)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/jobs/{ticket.id}"
    response.headers["Preference-Applied"] = "respond-async"
    return response
