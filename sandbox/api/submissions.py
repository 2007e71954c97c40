"""`/execute`, `/verify` and their batches: the routes that have to be fast."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from sandbox.api import bodies
from sandbox.api.answers import answer
from sandbox.api.documentation import batch_submission, submission
from sandbox.schema import (
    ExecuteBatchRequest,
    ExecuteBatchResult,
    ExecuteRequest,
    ExecuteResult,
    VerifyBatchRequest,
    VerifyBatchResult,
    VerifyRequest,
    VerifyResult,
)


class LeanRoute(APIRoute):
    """A documented route whose endpoint is called at once.

    FastAPI's dependency solving finds nothing to do for an endpoint that takes the request alone, and its search costs
    as much as all the rest of a request's way through the framework: 110 us with it, 56 us without.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


async def execute(request: Request) -> Response:
    """Run one program once, and answer with its output and what it used."""
    return await answer(request, "execute", [await bodies.read(request, ExecuteRequest)])


async def verify(request: Request) -> Response:
    """Judge one program on many tests."""
    return await answer(request, "verify", [await bodies.read(request, VerifyRequest)])


async def execute_batch(request: Request) -> Response:
    """Run many programs; results in the order of the items, or one a line as they are ready."""
    body = await bodies.read(request, ExecuteBatchRequest)
    return await answer(request, "execute", body.items, batch=True)


async def verify_batch(request: Request) -> Response:
    """Judge many programs; results in the order of the items, or one a line as they are ready."""
    body = await bodies.read(request, VerifyBatchRequest)
    return await answer(request, "verify", body.items, batch=True)


def add_to(router: APIRouter) -> None:
    """Straight into the application's own router: an included one is a second search for every request (15 us)."""
    for path, endpoint, documentation in (
        ("/execute", execute, submission(ExecuteRequest, ExecuteResult)),
        ("/verify", verify, submission(VerifyRequest, VerifyResult)),
        ("/execute/batch", execute_batch, batch_submission(ExecuteBatchRequest, ExecuteBatchResult, ExecuteResult)),
        ("/verify/batch", verify_batch, batch_submission(VerifyBatchRequest, VerifyBatchResult, VerifyResult)),
    ):
        router.add_api_route(
            path, endpoint, methods=["POST"], tags=["submissions"], route_class_override=LeanRoute, **documentation
        )
