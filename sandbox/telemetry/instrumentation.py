"""Wrappers that record metrics: one around the service, one around the ASGI application."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from sandbox import languages
from sandbox.errors import SandboxError
from sandbox.schema.vote import VoteRequest
from sandbox.telemetry import definitions
from sandbox.telemetry.registry import MetricsRegistry

if TYPE_CHECKING:
    from sandbox.queue.submission import Submission, SubmissionRequest, Ticket
    from sandbox.schema import Job
    from sandbox.schema.callbacks import DeadWebhook
    from sandbox.schema.gpu import GpuJob, GpuKind, GpuPool, GpuRequest
    from sandbox.schema.health import Readiness
    from sandbox.schema.live import LiveView
    from sandbox.schema.reward import Task, TaskSetInfo

# Any other method that a client sends must not create a new series.
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]


class SubmissionService(Protocol):
    """The part of `sandbox.service.Service` that the API uses; documented there."""

    def submit(self, submission: Submission) -> Ticket: ...

    def get_job(self, job_id: str) -> Job: ...

    def cancel(self, job_id: str) -> Job: ...

    def abandon(self, ticket: Ticket) -> None: ...

    def get_missing_languages(self) -> frozenset[str]: ...

    def check_readiness(self) -> Readiness: ...

    def get_live_view(self) -> LiveView: ...

    def put_tasks(self, set_id: str, body: bytes) -> TaskSetInfo: ...

    def get_task_set(self, set_id: str) -> TaskSetInfo: ...

    def get_tasks(self, references: Sequence[str]) -> Mapping[str, Task]: ...

    def list_dead_webhooks(self) -> list[DeadWebhook]: ...

    def requeue_webhook(self, webhook_id: str) -> None: ...

    def start_gpu_job(self, kind: GpuKind, request: GpuRequest, idempotency_key: str = "") -> GpuJob: ...

    def read_gpu_events(self, job_id: str, start: int) -> list[bytes]: ...

    def get_gpu_pool(self) -> GpuPool: ...


class InstrumentedService:
    """A service that records metrics of its calls."""

    def __init__(self, service: SubmissionService, registry: MetricsRegistry) -> None:
        self._service = service
        self._registry = registry

    def submit(self, submission: Submission) -> Ticket:
        try:
            ticket = self._service.submit(submission)
        except SandboxError as error:
            self._registry.counter(definitions.REFUSALS, type(error).__name__).inc()
            raise
        mode = "async" if submission.durable else "sync"
        self._registry.counter(definitions.SUBMISSIONS, submission.kind, submission.lane, mode).inc()
        for (name, lane), number in Counter(_list_programs(submission.requests)).items():
            # Use the canonical name, not the client's alias, so that clients cannot create new series.
            language = languages.get_language(name).name
            self._registry.counter(definitions.PROGRAMS, submission.kind, language, lane).inc(number)
        return ticket

    def get_job(self, job_id: str) -> Job:
        return self._service.get_job(job_id)

    def cancel(self, job_id: str) -> Job:
        job = self._service.cancel(job_id)
        self._registry.counter(definitions.JOBS_CANCELLED).inc()
        return job

    def abandon(self, ticket: Ticket) -> None:
        self._registry.counter(definitions.SUBMISSIONS_ABANDONED).inc()
        self._service.abandon(ticket)

    def get_missing_languages(self) -> frozenset[str]:
        return self._service.get_missing_languages()

    def check_readiness(self) -> Readiness:
        readiness = self._service.check_readiness()
        self._registry.gauge(definitions.READY).set(readiness.ready)
        self._registry.gauge(definitions.WORKERS).set(readiness.workers)
        self._registry.gauge(definitions.WAITING_FOR_BOX).set(readiness.waiting_for_box_s)
        for state in ("used", "limit"):
            self._registry.gauge(definitions.REDIS_MEMORY, state).set(readiness.storage_bytes.get(state, 0))
        self._registry.gauge(definitions.STORED_BYTES).set(readiness.storage_bytes.get("kept", 0))
        for lane, waiting in readiness.queued.items():
            self._registry.gauge(definitions.QUEUE_DEPTH, lane).set(waiting)
            self._registry.gauge(definitions.QUEUE_AGE, lane).set(readiness.oldest_s.get(lane, 0.0) if waiting else 0.0)
        return readiness

    def get_live_view(self) -> LiveView:
        return self._service.get_live_view()

    def put_tasks(self, set_id: str, body: bytes) -> TaskSetInfo:
        return self._service.put_tasks(set_id, body)

    def get_task_set(self, set_id: str) -> TaskSetInfo:
        return self._service.get_task_set(set_id)

    def get_tasks(self, references: Sequence[str]) -> Mapping[str, Task]:
        return self._service.get_tasks(references)

    def list_dead_webhooks(self) -> list[DeadWebhook]:
        return self._service.list_dead_webhooks()

    def requeue_webhook(self, webhook_id: str) -> None:
        self._service.requeue_webhook(webhook_id)

    def start_gpu_job(self, kind: GpuKind, request: GpuRequest, idempotency_key: str = "") -> GpuJob:
        return self._service.start_gpu_job(kind, request, idempotency_key)

    def read_gpu_events(self, job_id: str, start: int) -> list[bytes]:
        return self._service.read_gpu_events(job_id, start)

    def get_gpu_pool(self) -> GpuPool:
        return self._service.get_gpu_pool()


def _list_programs(requests: Iterable[SubmissionRequest]) -> Iterable[tuple[str, str]]:
    """Yield the language and lane of every program; a vote has many."""
    for request in requests:
        names = (
            [candidate.language for candidate in request.candidates]
            if isinstance(request, VoteRequest)
            else [request.language]
        )
        yield from ((language, request.priority) for language in names)


class MetricsMiddleware:
    """ASGI middleware that counts and times requests by route template instead of path."""

    def __init__(self, app: AsgiApp, registry: MetricsRegistry) -> None:
        self._app = app
        self._registry = registry
        self._in_flight = registry.gauge(definitions.HTTP_IN_FLIGHT)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        received = 0
        sent = 0

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_and_count(message: Message) -> None:
            nonlocal status, sent
            status = message.get("status", status)
            sent += len(message.get("body", b""))
            await send(message)

        start = perf_counter()
        self._in_flight.inc()
        try:
            await self._app(scope, receive_and_count, send_and_count)
        finally:
            self._in_flight.dec()
            self._record(scope, status, perf_counter() - start, received, sent)

    def _record(self, scope: Message, status: int, duration_s: float, received: int, sent: int) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._registry.counter(definitions.HTTP_REQUESTS, method, route, str(status or "client_gone")).inc()
        self._registry.histogram(definitions.HTTP_DURATION, route).observe(duration_s)
        if received:
            self._registry.histogram(definitions.HTTP_REQUEST_BODY, route).observe(received)
        self._registry.histogram(definitions.HTTP_RESPONSE_BODY, route).observe(sent)
