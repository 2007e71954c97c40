"""`/execute`, `/verify`, their batches, and `/verify/vote`: the routes that must be fast."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sandbox.api.fast_routes import FastRoute
from sandbox.api.openapi.documentation import document_batch_submission, document_submission
from sandbox.api.request_parsing import parse_submission
from sandbox.api.responses import build_json_response, submit_and_respond, submit_and_wait
from sandbox.api.routes.webhooks import build_callback
from sandbox.errors import BoxError, SandboxError
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
from sandbox.schema.hack import HackBatchRequest, HackBatchResult, HackResult, HackSubmission
from sandbox.schema.vote import VoteRequest, VoteResult


async def execute(request: Request) -> Response:
    """Run a program once, and return its output and resource usage."""
    body, preferences = await parse_submission(request, ExecuteSubmission)
    callback = build_callback(request, body.callback_url) if body.callback_url else None
    return await submit_and_respond(request, Submission("execute", [body], callback=callback), preferences)


async def verify(request: Request) -> Response:
    """Judge a program on its tests."""
    body, preferences = await parse_submission(request, VerifySubmission)
    callback = build_callback(request, body.callback_url) if body.callback_url else None
    return await submit_and_respond(request, Submission("verify", [body], callback=callback), preferences)


async def execute_batch(request: Request) -> Response:
    """Run many programs. Results are in the order of the items, or arrive line by line as they become ready."""
    body, preferences = await parse_submission(request, ExecuteBatchRequest)
    callback = build_callback(request, body.callback_url, per_item=body.callback_for == "item")
    submission = Submission("execute", body.items, batch=True, callback=callback)
    return await submit_and_respond(request, submission, preferences)


async def verify_batch(request: Request) -> Response:
    """Judge many programs. Results are in the order of the items, or arrive line by line as they become ready."""
    body, preferences = await parse_submission(request, VerifyBatchRequest)
    callback = build_callback(request, body.callback_url, per_item=body.callback_for == "item")
    submission = Submission("verify", body.items, batch=True, callback=callback)
    return await submit_and_respond(request, submission, preferences)


async def vote(request: Request) -> Response:
    """Run every candidate on every input. The majority labels the inputs; held-out inputs test the golden candidate."""
    body, preferences = await parse_submission(request, VoteRequest)
    callback = build_callback(request, body.callback_url)
    return await submit_and_respond(request, Submission("vote", [body], callback=callback), preferences)


async def hack(request: Request) -> Response:
    """Run trusted programs and the target on one input. The target breaks if the input is valid and it fails on it."""
    body, preferences = await parse_submission(request, HackSubmission)
    callback = build_callback(request, body.callback_url)
    submission = Submission("hack", [body], callback=callback, idempotency_key=preferences.idempotency_key)
    if callback is not None or preferences.respond_async:
        return await submit_and_respond(request, submission, preferences)
    [result] = await submit_and_wait(request, submission, limit_s=preferences.wait_s, is_large=preferences.is_large)
    if isinstance(result, SandboxError):
        raise result
    decided = HackResult.model_validate_json(result)
    if decided.valid is None:
        raise BoxError(decided.message)
    return build_json_response(result)


async def hack_batch(request: Request) -> Response:
    """Judge many hacks. If the service failed on an item, its `valid` and `breaks` are null."""
    body, preferences = await parse_submission(request, HackBatchRequest)
    callback = build_callback(request, body.callback_url, per_item=body.callback_for == "item")
    submission = Submission("hack", body.items, batch=True, callback=callback)
    return await submit_and_respond(request, submission, preferences)


def add_routes(router: APIRouter) -> None:
    """Add the routes directly to the application's router: an included router costs every request a search (15 us)."""
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
        ("/verify/hack", hack, document_submission(HackSubmission, HackResult)),
        ("/verify/hack/batch", hack_batch, document_batch_submission(HackBatchRequest, HackBatchResult, HackResult)),
    ):
        router.add_api_route(
            path, endpoint, methods=["POST"], tags=["submissions"], route_class_override=FastRoute, **documentation
        )
