"""Ask as a caller, wait for what must become true, and read results, as the tests of the queue do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sandbox.caller import CALLER, Caller
from sandbox.schema import ExecuteRequest, ExecuteResult, Job, JobStatus, Lane
from sandbox.service import Service, Ticket

PATIENCE_S = 60.0


@contextmanager
def asked_by(caller: Caller) -> Iterator[None]:
    token = CALLER.set(caller)
    try:
        yield
    finally:
        CALLER.reset(token)


def until(true: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, f"not within {patience_s:.0f} s: {what}"
        time.sleep(0.02)


def program(code: str, lane: Lane = Lane.DEFAULT) -> ExecuteRequest:
    return ExecuteRequest(language="python", code=code, priority=lane)


def sleeping(seconds: float, then: object = "awake") -> ExecuteRequest:
    return program(f"import time; time.sleep({seconds}); print({str(then)!r})")


def printing(numbers: Sequence[int] | range, lane: Lane = Lane.DEFAULT) -> list[ExecuteRequest]:
    return [program(f"print({number})", lane) for number in numbers]


def awaited(ticket: Ticket, patience_s: float = PATIENCE_S) -> list[ExecuteResult]:
    deadline = time.monotonic() + patience_s
    return [
        ExecuteResult.model_validate_json(future.result(max(0.01, deadline - time.monotonic())))
        for future in ticket.results
    ]


def printed(ticket: Ticket, patience_s: float = PATIENCE_S) -> list[str]:
    return [result.stdout.strip() for result in awaited(ticket, patience_s)]


def finished(service: Service, job_id: str, patience_s: float = PATIENCE_S) -> Job:
    until(lambda: service.job(job_id).status is JobStatus.FINISHED, "the job is finished", patience_s)
    return service.job(job_id)


def stdouts(job: Job) -> list[str]:
    """What the programs of a finished job have printed, in their order."""
    assert job.result is not None
    return [str(result["stdout"]).strip() for result in job.result.get("results", [job.result])]
