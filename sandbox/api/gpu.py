"""`/generate`, `/train/...`, `/evaluate` and `/gpus`: jobs for the GPU pool, and their events as they happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from sandbox.api import bodies
from sandbox.api.answers import json_response
from sandbox.api.documentation import answers, gpu_submission, job_events
from sandbox.api.door import Door, context_of
from sandbox.api.jobs import JobId
from sandbox.api.lean import LeanRoute
from sandbox.schema import Job
from sandbox.schema.gpu import (
    ENDED,
    EvaluateRequest,
    GenerateRequest,
    GpuKind,
    GpuPool,
    GpuRequest,
    GrpoRequest,
    SftRequest,
)

router = APIRouter(tags=["gpu"])

LOOK_S = 0.25
# A comment now and then keeps proxies from closing a stream that has nothing to tell.
KEEP_ALIVE_LOOKS = 60

Endpoint = Callable[[Request], Awaitable[Response]]


async def generate(request: Request) -> Response:
    """Completions of prompts, with verdicts while they are generated; they come as the job's events."""
    return await _started(request, GpuKind.GENERATE, GenerateRequest)


async def train_sft(request: Request) -> Response:
    """Fine-tune a model on chats."""
    return await _started(request, GpuKind.SFT, SftRequest)


async def train_grpo(request: Request) -> Response:
    """Reinforce a model on tasks, with this service as the reward."""
    return await _started(request, GpuKind.GRPO, GrpoRequest)


async def evaluate(request: Request) -> Response:
    """pass@k and avg@n of a model on HumanEval-, MBPP- or LiveCodeBench-shaped problems, or on your own."""
    return await _started(request, GpuKind.EVALUATE, EvaluateRequest)


@router.get("/gpus", **answers(GpuPool, 503))
def gpus(request: Request) -> Response:
    """Who holds which GPU, until when, and the latest GPU jobs."""
    return json_response(context_of(request).service.gpu_pool().model_dump_json())


@router.get("/jobs/{job_id}/events", response_class=StreamingResponse, **job_events())
async def events(request: Request, job_id: JobId) -> Response:
    """Server-sent events of a job until it ends: its state, its progress, its completions.

    Each has a number for its id; with `Last-Event-ID` a stream goes on behind it.
    """
    service = context_of(request).service
    await asyncio.to_thread(service.job, job_id)
    last = request.headers.get("last-event-id", "")
    start = int(last) + 1 if last.isdecimal() else 0
    return StreamingResponse(_told(request, service, job_id, start), media_type="text/event-stream")


async def _started(request: Request, kind: GpuKind, model: type[GpuRequest]) -> Response:
    wanted = await bodies.read(request, model)
    key = bodies.idempotency_key(request)
    job = await asyncio.to_thread(context_of(request).service.start_on_gpu, kind, wanted, key)
    response = json_response(job.model_dump_json(), 202)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}/jobs/{job.id}"
    return response


async def _told(request: Request, service: Door, job_id: str, start: int) -> AsyncIterator[bytes]:
    """Looks first at the state and then at the events, so that none is missed when the job ends in between."""
    seen, looks = "", 0
    while not await request.is_disconnected():
        job = await asyncio.to_thread(service.job, job_id)
        for line in await asyncio.to_thread(service.gpu_events, job_id, start):
            event = json.loads(line)
            yield b"id: %d\nevent: %s\ndata: %s\n\n" % (
                start,
                event["event"].encode(),
                json.dumps(event["data"]).encode(),
            )
            start += 1
        if job.status != seen:
            seen = job.status
            yield b"event: state\ndata: %s\n\n" % _state(job)
        if job.status in ENDED:
            return
        looks += 1
        if looks % KEEP_ALIVE_LOOKS == 0:
            yield b": still there\n\n"
        await asyncio.sleep(LOOK_S)


def _state(job: Job) -> bytes:
    """Without the result, which may be large and is at `/jobs/{id}`."""
    return job.model_copy(update={"result": None}).model_dump_json().encode()


def add_to(router_of_app: APIRouter) -> None:
    """Before the router of jobs, whose paths are shorter."""
    routes: tuple[tuple[str, Endpoint, type[GpuRequest]], ...] = (
        ("/generate", generate, GenerateRequest),
        ("/train/sft", train_sft, SftRequest),
        ("/train/grpo", train_grpo, GrpoRequest),
        ("/evaluate", evaluate, EvaluateRequest),
    )
    for path, endpoint, model in routes:
        router_of_app.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            tags=["gpu"],
            route_class_override=LeanRoute,
            **gpu_submission(model),
        )
    router_of_app.include_router(router)
