"""`/execute`, `/verify`, their batches, and `/verify/vote`: the routes that have to be fast."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sandbox.api import request_parsing
from sandbox.api.fast_route import FastRoute
from sandbox.api.openapi.documentation import document_batch_submission, document_submission
from sandbox.api.responses import submit_and_respond
from sandbox.api.routes.webhooks import build_callback
from sandbox.queue.submission import Submission
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
    body = await request_parsing.parse_body(request, ExecuteSubmission)
    callback = build_callback(request, body.callback_url)
    return await submit_and_respond(request, Submission("execute", [body], callback=callback))


async def verify(request: Request) -> Response:
    """Judge one program on many tests."""
    body = await request_parsing.parse_body(request, VerifySubmission)
    callback = build_callback(request, body.callback_url)
    return await submit_and_respond(request, Submission("verify", [body], callback=callback))


async def execute_batch(request: Request) -> Response:
    """Run many programs; results in the order of the items, or one a line as they are ready."""
    body = await request_parsing.parse_body(request, ExecuteBatchRequest)
    callback = build_callback(request, body.callback_url, per_item=body.callback_for == "item")
    return await submit_and_respond(request, Submission("execute", body.items, batch=True, callback=callback))


async def verify_batch(request: Request) -> Response:
    """Judge many programs; results in the order of the items, or one a line as they are ready."""
    body = await request_parsing.parse_body(request, VerifyBatchRequest)
    callback = build_callback(request, body.callback_url, per_item=body.callback_for == "item")
    return await submit_and_respond(request, Submission("verify", body.items, batch=True, callback=callback))


async def vote(request: Request) -> Response:
    """Run every candidate on every input; the majority labels the inputs, the hold-out proves the golden candidate."""
    body = await request_parsing.parse_body(request, VoteRequest)
    callback = build_callback(request, body.callback_url)
    return await submit_and_respond(request, Submission("vote", [body], callback=callback))


def add_routes(router: APIRouter) -> None:
    """Straight into the application's own router: an included one is a second search for every request (15 us)."""
    for path, endpoint, documentation in (
        ("/execute", execute, document_submission(ExecuteSubmission, ExecuteResult)),
        ("/verify", verify, document_submission(VerifySubmission, VerifyResult)),
        (
            "/execute/batch",
            execute_batch,
            document_batch_submission(ExecuteBatchRequest, ExecuteBatchResult, ExecuteResult),
        ),
        ("/verify/batch", verify_batch, document_batch_submission(VerifyBatchRequest, VerifyBatchResult, VerifyResult)),
        ("/verify/vote", vote, document_submission(VoteRequest, VoteResult)),
    ):
        router.add_api_route(
            path, endpoint, methods=["POST"], tags=["submissions"], route_class_override=FastRoute, **documentation
        )
