"""`/reward` and `/tasks`: compute rewards for completions, and register the task sets that requests refer to."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from sandbox.api import request_parsing
from sandbox.api.dependencies import get_context
from sandbox.api.fast_routes import FastRoute
from sandbox.api.openapi.documentation import document_response, document_submission, document_upload
from sandbox.api.responses import build_json_response, submit_and_respond_later, submit_and_wait
from sandbox.api.routes.webhooks import build_callback
from sandbox.errors import BadRequest, SandboxError
from sandbox.queue.submission import Submission
from sandbox.rewards.plan import RewardPlan, build_plan
from sandbox.rewards.scoring import score_results
from sandbox.schema.reward import RewardRequest, RewardResult, Task, TaskSet, TaskSetInfo
from sandbox.schema.runs import MAX_RUN_NAME_CHARS, RUN_NAME_PATTERN
from sandbox.telemetry.rl_groups import record_rewards

router = APIRouter(tags=["rewards"])

RUN_HEADER = "Sandbox-Run"
TaskSetId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the set's JSON, in hexadecimal")]


async def reward(request: Request) -> Response:
    """Extract the code from each completion, judge it, and return the rewards in the order of the completions."""
    reward_request, preferences = await request_parsing.parse_submission(request, RewardRequest, lenient=True)
    reward_request = add_run(request, reward_request)
    callback = build_callback(request, reward_request.callback_url)
    if callback is not None or preferences.respond_async:
        plan = await asyncio.to_thread(build_plan, reward_request, get_context(request).service.get_tasks)
        submission = Submission(plan.kind, plan.programs, batch=True, callback=callback, reward=reward_request)
        return await submit_and_respond_later(request, submission, preferences)
    result = await compute_rewards(
        request,
        reward_request,
        preferences.idempotency_key,
        limit_s=preferences.wait_s,
        is_large=preferences.is_large,
    )
    return build_json_response(result.model_dump_json())


async def compute_rewards(
    request: Request,
    reward_request: RewardRequest,
    idempotency_key: str = "",
    *,
    limit_s: float | None = None,
    is_large: bool = False,
) -> RewardResult:
    """Compute the rewards of a parsed request. Extraction and scoring run in a thread: completions can be large."""
    context, began = get_context(request), time.monotonic()
    reward_request = add_run(request, reward_request)
    plan = await asyncio.to_thread(build_plan, reward_request, context.service.get_tasks)
    submission = Submission(
        plan.kind, plan.programs, batch=True, idempotency_key=idempotency_key, reward=reward_request
    )
    results = await submit_and_wait(request, submission, limit_s=limit_s, is_large=is_large)
    rewards = await asyncio.to_thread(_score, plan, results)
    record_rewards(context.metrics_registry, reward_request, rewards)
    if reward_request.run is not None and not idempotency_key:  # rewards that are stored are recorded when they are
        await asyncio.to_thread(context.service.record_rewards, reward_request, rewards, time.monotonic() - began)
    return rewards


def add_run(request: Request, body: RewardRequest) -> RewardRequest:
    """Return the request with the run that its header Sandbox-Run names, unless its body names one.

    Raises BadRequest.
    """
    name = request.headers.get(RUN_HEADER)
    if not name or body.run is not None:
        return body
    if len(name) > MAX_RUN_NAME_CHARS or not re.match(RUN_NAME_PATTERN, name):
        raise BadRequest(
            f"{name[:50]!r} is not the name of a run: it must match {RUN_NAME_PATTERN}", f"header.{RUN_HEADER}"
        )
    return body.model_copy(update={"run": name})


@router.put("/tasks/{set_id}", **document_upload(TaskSet, TaskSetInfo))
async def put_tasks(request: Request, set_id: TaskSetId) -> Response:
    """Register a task set under the SHA-256 of the request body. Putting it again extends its lifetime."""
    # Accepts any media type, such as that of `curl --data-binary`: browsers never let a page PUT without a preflight.
    body = await request_parsing.read_body(request)
    with _point_errors_at_path():
        info = await asyncio.to_thread(get_context(request).service.put_tasks, set_id, body)
    return build_json_response(info.model_dump_json())


@router.get("/tasks/{set_id}", **document_response(TaskSetInfo, 404, 422, 503))
def task_set(request: Request, set_id: TaskSetId) -> Response:
    """Return the number of tasks of a registered set, or 404."""
    with _point_errors_at_path():
        return build_json_response(get_context(request).service.get_task_set(set_id).model_dump_json())


@router.get("/tasks/{set_id}/{name:path}", **document_response(Task, 404, 422, 503))
def task(request: Request, set_id: TaskSetId, name: str) -> Response:
    """Return a registered task: its tests, checker, limits, validators, references and quality."""
    with _point_errors_at_path():
        reference = f"{set_id}/{name}"
        found = get_context(request).service.get_tasks([reference])[reference]
    return build_json_response(found.model_dump_json(exclude_unset=True))


@contextmanager
def _point_errors_at_path() -> Iterator[None]:
    """Rename the field that errors report, because this route takes the set's id from the path."""
    try:
        yield
    except BadRequest as error:
        if error.field in {"set", "tasks"}:
            error.field = "path.set_id"
        raise


def _score(plan: RewardPlan, results: list[bytes | SandboxError]) -> RewardResult:
    return score_results(plan, [None if isinstance(result, SandboxError) else result for result in results])


def add_routes(app_router: APIRouter) -> None:
    """Add `/reward` directly to the application's router, like the other submissions, and then the other routes."""
    app_router.add_api_route(
        "/reward",
        reward,
        methods=["POST"],
        tags=["rewards"],
        route_class_override=FastRoute,
        **document_submission(RewardRequest, RewardResult, 404),
    )
    app_router.include_router(router)
