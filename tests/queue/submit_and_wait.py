"""Helpers of the queue's tests: submit as a caller, wait for a condition, and read results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sandbox.queue.submission import Submission, Ticket
from sandbox.request_context import CURRENT_CALLER, Caller
from sandbox.schema import ExecuteRequest, ExecuteResult, Job, JobStatus
from sandbox.service import Service

TIMEOUT_S = 60.0


def submit(service: Service, requests: Sequence[ExecuteRequest], **options: Any) -> Ticket:
    """Submit programs to run, with the options of a `Submission`."""
    return service.submit(Submission("execute", requests, **options))


@contextmanager
def act_as(caller: Caller) -> Iterator[None]:
    token = CURRENT_CALLER.set(caller)
    try:
        yield
    finally:
        CURRENT_CALLER.reset(token)


def wait_until(condition: Callable[[], Any], description: str, timeout_s: float = TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {description}"
        time.sleep(0.02)


def await_results(ticket: Ticket, timeout_s: float = TIMEOUT_S) -> list[ExecuteResult]:
    deadline = time.monotonic() + timeout_s
    return [
        ExecuteResult.model_validate_json(future.result(max(0.01, deadline - time.monotonic())))
        for future in ticket.results
    ]


def await_outputs(ticket: Ticket, timeout_s: float = TIMEOUT_S) -> list[str]:
    return [result.stdout.strip() for result in await_results(ticket, timeout_s)]


def await_job(service: Service, job_id: str, timeout_s: float = TIMEOUT_S) -> Job:
    wait_until(lambda: service.get_job(job_id).status is JobStatus.FINISHED, "the job is finished", timeout_s)
    return service.get_job(job_id)


def get_stdouts(job: Job) -> list[str]:
    """Return the output of each program of a finished job, in order."""
    assert job.result is not None
    return [str(result["stdout"]).strip() for result in job.result.get("results", [job.result])]
