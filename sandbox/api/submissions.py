"""`/execute`, `/verify`, their batches, and `/verify/vote`: the routes that have to be fast."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sandbox.api import bodies
from sandbox.api.answers import answer
from sandbox.api.callbacks import callback_of
from sandbox.api.documentation import batch_submission, submission
from sandbox.api.lean import LeanRoute
from sandbox.schema import (
    ExecuteBatchRequest,
    ExecuteBatchResult,
    ExecuteResult,
    ExecuteSubmission,
    VerifyBatchRequest,
    VerifyBatchResult,
    VerifyResult,
    VerifySubmission,
)
from sandbox.schema.vote import VoteRequest, VoteResult


async def execute(request: Request) -> Response:
    """Run one program once, and answer with its output and what it used."""
    body = await bodies.read(request, ExecuteSubmission)
    return await answer(request, "execute", [body], callback=callback_of(request, body.callback_url))


async def verify(request: Request) -> Response:
    """Judge one program on many tests."""
    body = await bodies.read(request, VerifySubmission)
    return await answer(request, "verify", [body], callback=callback_of(request, body.callback_url))


async def execute_batch(request: Request) -> Response:
    """Run many programs; results in the order of the items, or one a line as they are ready."""
    body = await bodies.read(request, ExecuteBatchRequest)
    callback = callback_of(request, body.callback_url, each=body.callback_for == "item")
    return await answer(request, "execute", body.items, batch=True, callback=callback)


async def verify_batch(request: Request) -> Response:
    """Judge many programs; results in the order of the items, or one a line as they are ready."""
    body = await bodies.read(request, VerifyBatchRequest)
    callback = callback_of(request, body.callback_url, each=body.callback_for == "item")
    return await answer(request, "verify", body.items, batch=True, callback=callback)


async def vote(request: Request) -> Response:
    """Run every candidate on every input; the majority labels the inputs, the hold-out proves the golden candidate."""
    body = await bodies.read(request, VoteRequest)
    return await answer(request, "vote", [body], callback=callback_of(request, body.callback_url))


def add_to(router: APIRouter) -> None:
    """Straight into the application's own router: an included one is a second search for every request (15 us)."""
    for path, endpoint, documentation in (
        ("/execute", execute, submission(ExecuteSubmission, ExecuteResult)),
        ("/verify", verify, submission(VerifySubmission, VerifyResult)),
        ("/execute/batch", execute_batch, batch_submission(ExecuteBatchRequest, ExecuteBatchResult, ExecuteResult)),
        ("/verify/batch", verify_batch, batch_submission(VerifyBatchRequest, VerifyBatchResult, VerifyResult)),
        ("/verify/vote", vote, submission(VoteRequest, VoteResult)),
    ):
        router.add_api_route(
            path, endpoint, methods=["POST"], tags=["submissions"], route_class_override=LeanRoute, **documentation
        )
