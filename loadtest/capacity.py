"""Write the capacity page: the hardware that a run needs, computed only from the results of `scale` and `limits`."""

from __future__ import annotations

import json
import math
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.sides import build_verify_request
from loadtest.workloads import make_rl_step
from sandbox.request_context import generate_id
from sandbox.runner.contract import Usage, Verdict
from sandbox.schema import TestResult, VerifyResult

PAGE_PATH = Path(__file__).resolve().parent.parent / "sandbox/docs/capacity.md"
PAGE_WIDTH = 120
STEP_PROGRAMS, TESTS_PER_PROGRAM = 512 * 8, 10
DEADLINES_S = (5.0, 20.0)
TARGET_UTILIZATION = 0.7  # of a core, for processes that cannot be scaled out
REDIS_COPIES = 2  # a batch is stored in Redis and in its log


@dataclass(frozen=True, slots=True)
class MeasuredCosts:
    """The costs per test of an RL step (W5), in seconds of a core, on the measured host and slot count."""

    slots: int
    rate: float
    api_s: float
    redis_s: float
    workers_and_boxes_s: float
    program_bytes: int  # JSON of one program with its tests
    result_bytes: int

    @property
    def slot_rate(self) -> float:
        return self.rate / self.slots


@dataclass(frozen=True, slots=True)
class Requirement:
    """The hardware needed for this many verdicts within this many seconds."""

    tests: int
    within_s: float
    slots: int
    api_processes: int
    redis_cores: float
    redis_mb: float
    network_mb_s: float


def read_measurements(folder: Path) -> MeasuredCosts:
    steps: list[dict[str, Any]] = json.loads((folder / "scale.json").read_text())
    step = max((step for step in steps if step["workload"].startswith("W5")), key=lambda step: step["slots"])
    used, rate = step["cores_used"], step["rate"]["median"]
    return MeasuredCosts(
        slots=step["slots"],
        rate=rate,
        api_s=used["api"] / rate,
        redis_s=used["redis"] / rate,
        workers_and_boxes_s=(used["workers"] + used["boxes"]) / rate,
        program_bytes=count_request_bytes(),
        result_bytes=count_result_bytes(),
    )


def count_request_bytes() -> int:
    """Return the size of one W5 program with its tests, as sent."""
    return sum(map(len, build_verify_request(make_rl_step(1))))


def count_result_bytes() -> int:
    """Return the size of one program's result, as sent."""
    usage = Usage(cpu_time_s=0.000612, wall_time_s=0.000598, memory_mb=1.234)
    tests = [
        TestResult(verdict=Verdict.ACCEPTED, score=1.0, exit_code=0, usage=usage) for _ in range(TESTS_PER_PROGRAM)
    ]
    result = VerifyResult(
        id=generate_id(),
        verdict=Verdict.ACCEPTED,
        passed=TESTS_PER_PROGRAM,
        total=TESTS_PER_PROGRAM,
        score=1.0,
        tests=tests,
        queue_time_s=0.123456,
        run_time_s=0.012345,
    )
    return len(result.model_dump_json())


def compute_requirement(times: int, within_s: float, found: MeasuredCosts) -> Requirement:
    tests = times * STEP_PROGRAMS * TESTS_PER_PROGRAM
    rate = tests / within_s
    size = times * STEP_PROGRAMS * (found.program_bytes + found.result_bytes)
    return Requirement(
        tests=tests,
        within_s=within_s,
        slots=math.ceil(rate / found.slot_rate),
        api_processes=math.ceil(rate * found.api_s / TARGET_UTILIZATION),
        redis_cores=rate * found.redis_s,
        redis_mb=REDIS_COPIES * size / 2**20,
        network_mb_s=2 * size / within_s / 2**20,
    )


def format_row(times: int, one: Requirement) -> str:
    step = "512 x 8 x 10" if times == 1 else f"{times} times that"
    return (
        f"| {step} | {one.tests:,} | {one.within_s:g} s | {one.slots:,} | {one.api_processes:,} |"
        f" {one.redis_cores:.2f} | {one.redis_mb:,.0f} MB | {one.network_mb_s:,.0f} MB/s |"
    )


PAGE_TEMPLATE = """\
# Capacity

Computed by `python -m loadtest capacity` from what `python -m loadtest scale` and `limits` measured; rerun them on your
machines, for programs, processors and kernels differ. The workload is W5: short Python programs (0.6 ms of CPU a test),
10 tests each, in batches, as a reinforcement-learning step sends them.

{where}

One slot (a core with a worker and its box) gave {slot_rate:.0f} verdicts a second at {slots} slots. A verdict used
{slot_us:.0f} us of a core in worker and box, {api_us:.0f} us in the API and {redis_us:.0f} us in Redis. A program with
its tests was {bytes:,} bytes of JSON, its result {answer:,}.

| step | tests | verdicts within | slots | API processes | cores of Redis | Redis memory | network |
|---|---|---|---|---|---|---|---|
{rows}

Slots and API processes grow with the rate and are a matter of more hosts (`sandbox worker` on each,
`SANDBOX_API_PROCESSES`, or `sandbox serve` on several hosts behind a load balancer). API processes are counted at
{full:.0%} of a core each. Redis memory is the whole step and its results at once, and their log. Network is what
enters and leaves Redis: programs and results.

## What one of each passes on

Empty boxes, so that the queue itself is the work: milliseconds of CPU a verdict, with one test each, and what a core of
it is enough for.

| way | worker hosts | API, ms | Redis, ms | API, /s a core | Redis, /s a core | bytes through Redis |
|---|---|---|---|---|---|---|
{limits}

## Where it breaks first

{breaks}
"""


def render_page(folder: Path, where: str) -> str:
    found = read_measurements(folder)
    limits: list[dict[str, Any]] = json.loads((folder / "limits.json").read_text())
    rows = [
        format_row(times, compute_requirement(times, within_s, found)) for times in (1, 100) for within_s in DEADLINES_S
    ]
    return PAGE_TEMPLATE.format(
        where=textwrap.fill(f"Measured: {where}.", PAGE_WIDTH),
        slot_rate=found.slot_rate,
        slots=found.slots,
        slot_us=found.workers_and_boxes_s * 1e6,
        api_us=found.api_s * 1e6,
        redis_us=found.redis_s * 1e6,
        bytes=found.program_bytes,
        answer=found.result_bytes,
        rows="\n".join(rows),
        full=TARGET_UTILIZATION,
        limits="\n".join(map(format_limit_row, limits)),
        breaks=describe_bottleneck(found),
    )


def format_limit_row(limit: dict[str, Any]) -> str:
    api, redis = limit["cpu_ms"]["api"], limit["cpu_ms"]["redis"]
    return (
        f"| {limit['workload']} | {limit['hosts']} | {api:.2f} | {redis:.3f} | {1000 / api:,.0f} |"
        f" {1000 / redis:,.0f} | {limit['redis_bytes']:,.0f} |"
    )


def describe_bottleneck(found: MeasuredCosts) -> str:
    """Describe from the numbers which process cannot be scaled out, and at which rate it is full."""
    redis = TARGET_UTILIZATION / found.redis_s
    slots = redis / found.slot_rate
    return (
        f"Redis is the one process there is one of. It is used to {TARGET_UTILIZATION:.0%} of its core at\n"
        f"{redis:,.0f} verdicts a second, which is {slots:,.0f} slots of work like this. Beyond that, give each\n"
        "training run a service of its own (a Redis, API processes and worker hosts): runs share nothing, so\n"
        "nothing is lost by it. Before that, on one host, the cores end: API processes, Redis and the client take\n"
        "theirs from the slots."
    )


def write_page(folder: Path, where: str) -> Path:
    PAGE_PATH.write_text(render_page(folder, where))
    return PAGE_PATH
