"""The capacity page: the hardware that a training step needs, computed from the results of `scale` and `limits`."""

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
TARGET_UTILIZATION = 0.7  # the part of a core that Redis or one API process should use
W5_TEST_CPU_S = 0.0006
REDIS_COPIES = 2  # a job batch is in Redis' memory and in its log


@dataclass(frozen=True, slots=True)
class MeasuredCosts:
    """Seconds of CPU per test of an RL step (W5), on the host and with the slots that were measured."""

    slots: int
    rate: float
    api_s: float
    redis_s: float
    workers_and_boxes_s: float
    program_bytes: int  # one program with its tests, as JSON
    result_bytes: int

    @property
    def slot_rate(self) -> float:
        return self.rate / self.slots


@dataclass(frozen=True, slots=True)
class Requirement:
    """The resources to judge `tests` within `within_s` seconds."""

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
    """Return the size of one program of W5 with its tests, as JSON."""
    return sum(map(len, build_verify_request(make_rl_step(1))))


def count_result_bytes() -> int:
    """Return the size of one program's result, as JSON."""
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


def compute_slot_s(tests: int, test_cpu_s: float, found: MeasuredCosts) -> float:
    """Return the seconds that one slot needs for tests of `test_cpu_s` seconds of CPU each, which W5's tests lack."""
    return tests * (1 / found.slot_rate - W5_TEST_CPU_S + test_cpu_s)


def format_row(times: int, one: Requirement) -> str:
    step = "512 x 8 x 10" if times == 1 else f"{times} times that"
    return (
        f"| {step} | {one.tests:,} | {one.within_s:g} s | {one.slots:,} | {one.api_processes:,} |"
        f" {one.redis_cores:.2f} | {one.redis_mb:,.0f} MB | {one.network_mb_s:,.0f} MB/s |"
    )


PAGE_TEMPLATE = """\
# Capacity

This page estimates the hardware for a reinforcement-learning step. `python -m loadtest capacity` computes it from the
measurements of `python -m loadtest scale` and `python -m loadtest limits`. Programs, processors and kernels differ, so
repeat the measurements on your machines. The workload, W5, consists of batches of short Python programs with 10 tests
each. A test takes 0.6 ms of CPU.

{where}

A slot is one core with a worker and its box. With {slots} slots, each slot produced {slot_rate:.0f} verdicts per
second. A verdict took {slot_us:.0f} us of CPU in the worker and its box, {api_us:.0f} us in the API and
{redis_us:.0f} us in Redis. A program with its tests was {bytes:,} bytes of JSON, and its result {answer:,} bytes.

| step | tests | deadline | slots | API processes | cores of Redis | Redis memory | network |
|---|---|---|---|---|---|---|---|
{rows}

A step is prompts x completions x tests. The numbers of slots and API processes grow with the rate of verdicts. To add
more, run `sandbox worker` on more hosts, raise `SANDBOX_API_PROCESSES`, or run `sandbox serve` on several hosts behind
a load balancer. The table assumes that each API process uses {full:.0%} of a core. Redis memory is for the whole step
with its results, including Redis' log. Network is the traffic of programs and results to and from Redis.

## Cost of the queue

This measurement uses empty boxes, so that only the queue does work. Each verdict is for one test. The table shows the
CPU time per verdict, the verdicts per second that one core can handle, and the bytes per verdict through Redis.

| requests | worker hosts | API, ms | Redis, ms | API, /s per core | Redis, /s per core | bytes through Redis |
|---|---|---|---|---|---|---|
{limits}

## The first bottleneck

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
    """Describe the rate at which Redis, the only process that cannot be multiplied, is fully used."""
    redis = TARGET_UTILIZATION / found.redis_s
    slots = redis / found.slot_rate
    return (
        f"Redis is the only process that cannot be multiplied. It uses {TARGET_UTILIZATION:.0%} of its core at\n"
        f"{redis:,.0f} verdicts per second, which corresponds to {slots:,.0f} slots with this workload. Beyond that,\n"
        "give each training run its own service with a Redis, API processes and worker hosts. This has no\n"
        "disadvantage, because training runs share nothing. The services can share [a\n"
        "cluster](how-to/deploy.md#a-cluster), each on a master of its own. On a single host, the cores run out\n"
        "earlier: API processes, Redis and the client compete with the slots for them."
    )


def write_page(folder: Path, where: str) -> Path:
    PAGE_PATH.write_text(render_page(folder, where))
    return PAGE_PATH
