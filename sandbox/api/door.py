"""What the API needs of the service behind it, and where a request finds it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fastapi import FastAPI, Request

from sandbox.config import ApiSettings
from sandbox.metrics.meters import Meters
from sandbox.schema import Job
from sandbox.schema.callbacks import Callback, DeadWebhook
from sandbox.schema.gpu import GpuJob, GpuKind, GpuPool, GpuRequest
from sandbox.schema.live import LiveView
from sandbox.schema.reward import RewardRequest, Task, TaskSetInfo
from sandbox.service import Kind, Readiness, Ticket
from sandbox.service import Request as Submission


class Door(Protocol):
    """`sandbox.service.Service` as the API sees it; see there."""

    def submit(
        self,
        kind: Kind,
        requests: Sequence[Submission],
        *,
        durable: bool = False,
        batch: bool = False,
        idempotency_key: str = "",
        callback: Callback | None = None,
        reward: RewardRequest | None = None,
    ) -> Ticket: ...

    def job(self, job_id: str) -> Job: ...

    def cancel(self, job_id: str) -> Job: ...

    def abandon(self, ticket: Ticket) -> None: ...

    def missing_languages(self) -> frozenset[str]: ...

    def readiness(self) -> Readiness: ...

    def live(self) -> LiveView: ...

    def put_tasks(self, set_id: str, body: bytes) -> TaskSetInfo: ...

    def task_set(self, set_id: str) -> TaskSetInfo: ...

    def tasks(self, references: Sequence[str]) -> Mapping[str, Task]: ...

    def dead_webhooks(self) -> list[DeadWebhook]: ...

    def revive_webhook(self, webhook_id: str) -> None: ...

    def start_on_gpu(self, kind: GpuKind, request: GpuRequest, idempotency_key: str = "") -> GpuJob: ...

    def gpu_events(self, job_id: str, start: int) -> list[bytes]: ...

    def gpu_pool(self) -> GpuPool: ...


@dataclass(frozen=True, slots=True)
class Context:
    """What every route may use."""

    settings: ApiSettings
    service: Door
    meters: Meters


def open_for(app: FastAPI, context: Context) -> None:
    app.state.context = context


def context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context
