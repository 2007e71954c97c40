"""`/reward` and `/tasks`: completions in, rewards out, and the sets of tasks that requests name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from sandbox.api import bodies
from sandbox.api.answers import answer_later, json_response, settled
from sandbox.api.callbacks import callback_of
from sandbox.api.documentation import answers, stored, submission
from sandbox.api.door import context_of
from sandbox.api.lean import LeanRoute
from sandbox.errors import BadRequest, SandboxError
from sandbox.metrics.steps import record_rewards
from sandbox.rewards.request import Plan, rewards_of, verify_requests
from sandbox.schema import VerifyResult
from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet, TaskSetInfo

router = APIRouter(tags=["rewards"])

SetId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="the SHA-256 of the set's JSON, in hexadecimal")]


async def reward(request: Request) -> Response:
    """Take the code out of each completion, judge it, and answer with the rewards in the completions' order."""
    wanted = await bodies.read_rows(request, RewardRequest)
    callback = callback_of(request, wanted.callback_url)
    if callback is not None or bodies.prefers_async(request):
        plan = await asyncio.to_thread(verify_requests, wanted, context_of(request).service.tasks)
        return await answer_later(request, "verify", plan.programs, True, callback, wanted)
    result = await rewarded(request, wanted, bodies.idempotency_key(request))
    return json_response(result.model_dump_json())


async def rewarded(
    request: Request, wanted: RewardRequest, key: str = "", *, limit_s: float | None = None
) -> RewardResult:
    """The rewards of a request that is parsed. Reading code and scoring are in a thread: completions are large."""
    plan = await asyncio.to_thread(verify_requests, wanted, context_of(request).service.tasks)
    results = await settled(request, "verify", plan.programs, key=key, reward=wanted, limit_s=limit_s)
    rewards = await asyncio.to_thread(_scored, plan, results)
    record_rewards(context_of(request).meters, wanted, rewards)
    return rewards


@router.put("/tasks/{set_id}", **stored(TaskSet, TaskSetInfo))
async def put_tasks(request: Request, set_id: SetId) -> Response:
    """Register a set of tasks under the SHA-256 of this very body; putting it again makes it live longer."""
    # Of any media type, as `curl --data-binary` sends it: no web page may send a PUT without asking.
    body = await bodies.raw(request)
    with _naming_the_path():
        info = await asyncio.to_thread(context_of(request).service.put_tasks, set_id, body)
    return json_response(info.model_dump_json())


@router.get("/tasks/{set_id}", **answers(TaskSetInfo, 404, 422, 503))
def task_set(request: Request, set_id: SetId) -> Response:
    """Whether a set is registered, and how many tasks it has."""
    with _naming_the_path():
        return json_response(context_of(request).service.task_set(set_id).model_dump_json())


@contextmanager
def _naming_the_path() -> Iterator[None]:
    """The set's id stands in the path here."""
    try:
        yield
    except BadRequest as error:
        if error.field in {"set", "tasks"}:
            error.field = "path.set_id"
        raise


def _scored(plan: Plan, results: list[bytes | SandboxError]) -> RewardResult:
    return rewards_of(plan, [_read(result) for result in results])


def _read(result: bytes | SandboxError) -> VerifyResult | None:
    return None if isinstance(result, SandboxError) else VerifyResult.model_validate_json(result)


def add_to(router_of_app: APIRouter) -> None:
    """`/reward` straight into the application's own router, as the other submissions."""
    router_of_app.add_api_route(
        "/reward",
        reward,
        methods=["POST"],
        tags=["rewards"],
        route_class_override=LeanRoute,
        **submission(RewardRequest, RewardResult, 404),
    )
    router_of_app.include_router(router)
