"""`/generate`, `/train/...`, `/evaluate` and `/gpus`: start jobs on the GPU pool and stream their events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from sandbox.api import request_parsing
from sandbox.api.dependencies import get_context
from sandbox.api.fast_routes import FastRoute
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
from sandbox.service import Service

router = APIRouter(tags=["gpu"])

POLL_INTERVAL_S = 0.25
# A comment now and then keeps proxies from closing a stream without events.
KEEP_ALIVE_POLLS = 60

Endpoint = Callable[[Request], Awaitable[Response]]


async def generate(request: Request) -> Response:
    """Generate completions of prompts. Each is judged as soon as it is generated, and becomes an event of the job."""
    return await _start_job(request, GpuKind.GENERATE, GenerateRequest)


async def train_sft(request: Request) -> Response:
    """Fine-tune a model on chats."""
    return await _start_job(request, GpuKind.SFT, SftRequest)


async def train_grpo(request: Request) -> Response:
    """Train a model on tasks by reinforcement learning, with this service as the reward."""
    return await _start_job(request, GpuKind.GRPO, GrpoRequest)


async def evaluate(request: Request) -> Response:
    """Compute pass@k and avg@n of a model on problems in HumanEval, MBPP or LiveCodeBench format, or on your own."""
    return await _start_job(request, GpuKind.EVALUATE, EvaluateRequest)


@router.get("/gpus", **document_response(GpuPool, 503))
def gpus(request: Request) -> Response:
    """Return the current GPU leases and the latest GPU jobs."""
    return build_json_response(get_context(request).service.get_gpu_pool().model_dump_json())


@router.get("/jobs/{job_id}/events", response_class=StreamingResponse, **document_job_events())
async def events(request: Request, job_id: JobId) -> Response:
    """Stream a job's state, progress and completions as server-sent events until it ends.

    Events have consecutive numbers as ids. Send `Last-Event-ID` to continue a stream after that event.
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


async def _stream_events(request: Request, service: Service, job_id: str, start: int) -> AsyncIterator[bytes]:
    """Stream a job's state and events. Read the state first, so that no event is missed if the job ends meanwhile."""
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
    """Render a job without its result, which may be large and is at `/jobs/{id}`."""
    return job.model_copy(update={"result": None}).model_dump_json().encode()


def add_routes(app_router: APIRouter) -> None:
    """Add the routes. Call this before adding the jobs router, whose paths would match first."""
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
