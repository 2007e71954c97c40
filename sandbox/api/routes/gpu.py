"""`/generate`, `/train/...`, `/evaluate` and `/gpus`: jobs for the GPU pool, and their events as they happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from sandbox.api import request_parsing
from sandbox.api.dependencies import SubmissionService, get_context
from sandbox.api.fast_route import FastRoute
from sandbox.api.openapi.documentation import document_gpu_submission, document_job_events, document_response
from sandbox.api.responses import build_json_response
from sandbox.api.routes.jobs import JobId
from sandbox.schema import Job
from sandbox.schema.gpu import (
    ENDED_STATUSES,
    EvaluateRequest,
    GenerateRequest,
    GpuKind,
    GpuPool,
    GpuRequest,
    GrpoRequest,
    SftRequest,
)

router = APIRouter(tags=["gpu"])

POLL_INTERVAL_S = 0.25
# A comment now and then keeps proxies from closing a stream that has nothing to tell.
KEEP_ALIVE_POLLS = 60

Endpoint = Callable[[Request], Awaitable[Response]]


async def generate(request: Request) -> Response:
    """Completions of prompts, with verdicts while they are generated; they come as the job's events."""
    return await _start_job(request, GpuKind.GENERATE, GenerateRequest)


async def train_sft(request: Request) -> Response:
    """Fine-tune a model on chats."""
    return await _start_job(request, GpuKind.SFT, SftRequest)


async def train_grpo(request: Request) -> Response:
    """Reinforce a model on tasks, with this service as the reward."""
    return await _start_job(request, GpuKind.GRPO, GrpoRequest)


async def evaluate(request: Request) -> Response:
    """pass@k and avg@n of a model on HumanEval-, MBPP- or LiveCodeBench-shaped problems, or on your own."""
    return await _start_job(request, GpuKind.EVALUATE, EvaluateRequest)


@router.get("/gpus", **document_response(GpuPool, 503))
def gpus(request: Request) -> Response:
    """Who holds which GPU, until when, and the latest GPU jobs."""
    return build_json_response(get_context(request).service.get_gpu_pool().model_dump_json())


@router.get("/jobs/{job_id}/events", response_class=StreamingResponse, **document_job_events())
async def events(request: Request, job_id: JobId) -> Response:
    """Server-sent events of a job until it ends: its state, its progress, its completions.

    Each has a number for its id; with `Last-Event-ID` a stream goes on behind it.
    """
    service = get_context(request).service
    await asyncio.to_thread(service.get_job, job_id)
    last = request.headers.get("last-event-id", "")
    start = int(last) + 1 if last.isdecimal() else 0
    return StreamingResponse(_stream_events(request, service, job_id, start), media_type="text/event-stream")


async def _start_job(request: Request, kind: GpuKind, model: type[GpuRequest]) -> Response:
    wanted = await request_parsing.parse_body(request, model)
    key = request_parsing.read_idempotency_key(request)
    job = await asyncio.to_thread(get_context(request).service.start_gpu_job, kind, wanted, key)
    response = build_json_response(job.model_dump_json(), 202)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/jobs/{job.id}"
    return response


async def _stream_events(request: Request, service: SubmissionService, job_id: str, start: int) -> AsyncIterator[bytes]:
    """Looks first at the state and then at the events, so that none is missed when the job ends in between."""
    seen, polls = "", 0
    while not await request.is_disconnected():
        job = await asyncio.to_thread(service.get_job, job_id)
        for line in await asyncio.to_thread(service.read_gpu_events, job_id, start):
            event = json.loads(line)
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (
                start,
                event["event"].encode(),
                json.dumps(event["data"]).encode(),
            )
            start += 1
        if job.status != seen:
            seen = job.status
            yield b"event: state\ndata: %s\n\n" % _render_state(job)
        if job.status in ENDED_STATUSES:
            return
        polls += 1
        if polls % KEEP_ALIVE_POLLS == 0:
            yield b": still there\n\n"
        await asyncio.sleep(POLL_INTERVAL_S)


def _render_state(job: Job) -> bytes:
    """Without the result, which may be large and is at `/jobs/{id}`."""
    return job.model_copy(update={"result": None}).model_dump_json().encode()


def add_routes(app_router: APIRouter) -> None:
    """Before the router of jobs, whose paths are shorter."""
    routes: tuple[tuple[str, Endpoint, type[GpuRequest]], ...] = (
        ("/generate", generate, GenerateRequest),
        ("/train/sft", train_sft, SftRequest),
        ("/train/grpo", train_grpo, GrpoRequest),
        ("/evaluate", evaluate, EvaluateRequest),
    )
    for path, endpoint, model in routes:
        app_router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            tags=["gpu"],
            route_class_override=FastRoute,
            **document_gpu_submission(model),
        )
    app_router.include_router(router)
