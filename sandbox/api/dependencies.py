"""What the API needs of the service behind it, and where a request finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fastapi import FastAPI, Request

from sandbox.config import ApiSettings
from sandbox.schema import Job
from sandbox.schema.callbacks import Callback, DeadWebhook
from sandbox.schema.gpu import GpuJob, GpuKind, GpuPool, GpuRequest
from sandbox.schema.live import LiveView
from sandbox.schema.reward import RewardRequest, Task, TaskSetInfo
from sandbox.service import Readiness, SubmissionKind, Ticket
from sandbox.service import SubmissionRequest as Submission
from sandbox.telemetry.registry import MetricsRegistry


class SubmissionService(Protocol):
    """`sandbox.service.Service` as the API sees it; see there."""

    def submit(
        self,
        kind: SubmissionKind,
        requests: Sequence[Submission],
        *,
        durable: bool = False,
        batch: bool = False,
        idempotency_key: str = "",
        callback: Callback | None = None,
        reward: RewardRequest | None = None,
    ) -> Ticket: ...

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


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What every route may use."""

    settings: ApiSettings
    service: SubmissionService
    meters: MetricsRegistry


def attach_context(app: FastAPI, context: ApiContext) -> None:
    app.state.context = context


def get_context(request: Request) -> ApiContext:
    context: ApiContext = request.app.state.context
    return context
