"""What the API needs of the service behind it, and where a request finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from fastapi import FastAPI, Request

from sandbox.config import ApiSettings
from sandbox.metrics.meters import Meters
from sandbox.schema import ExecuteRequest, Job, VerifyRequest
from sandbox.service import Kind, Readiness, Ticket


class Door(Protocol):
    """`sandbox.service.Service` as the API sees it; see there."""

    def submit(
        self,
        kind: Kind,
        requests: Sequence[ExecuteRequest | VerifyRequest],
        *,
        durable: bool = False,
        batch: bool = False,
        idempotency_key: str = "",
    ) -> Ticket: ...

    def job(self, job_id: str) -> Job: ...

    def cancel(self, job_id: str) -> Job: ...

    def abandon(self, ticket: Ticket) -> None: ...

    def readiness(self) -> Readiness: ...


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
