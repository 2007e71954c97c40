"""Measure throughput by slot count, and which process fills up first. All services run at once and are measured in
turn.

The largest slot count may have one service per way of pinning to CPUs (`SANDBOX_PIN`). For comparison, the same number
of plain Python loops run without any service, which shows what the processor itself can give.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest.bench import measure_round
from loadtest.goals import EFFICIENCY_FLOOR
from loadtest.sample import Sample
from loadtest.sides import SANDBOX, HttpSide, SandboxDialect
from loadtest.spread import Spread
from loadtest.temporary_service import TemporaryService
from loadtest.workloads import Workload, find_workload
from sandbox.processes.up import compute_api_processes

PLAIN_LOOPS = "plain loops"
WORKLOADS = (PLAIN_LOOPS, "W1 single", "W1 batch64", "W2 py-20", "W5 rl-step")
LOOP_SOURCE = """
import sys, time
rounds, end = 0, time.perf_counter() + float(sys.argv[1])
while time.perf_counter() < end:
    total = 0
    for number in range(20_000):
        total += number * 3
    rounds += 1
print(rounds)
"""
# A process of these kinds can use at most one core. There may be several API processes.
SINGLE_CORE_KINDS = ("api", "redis", "generator")


@dataclass(frozen=True, slots=True)
class ScalePoint:
    """One workload on one number of slots; `cores_used` is by kind of process."""

    workload: str
    slots: int
    pin: str
    rate: Spread
    efficiency: float
    of_processor: float  # the efficiency relative to that of as many plain loops
    cores_used: dict[str, float]

    @property
    def fullest(self) -> str:
        """The process that will run out of its core first."""
        kind = max(SINGLE_CORE_KINDS, key=self._compute_share)
        return f"{kind} {self._compute_share(kind):.0%} of a core"

    def _compute_share(self, kind: str) -> float:
        return self.cores_used.get(kind, 0.0) / (compute_api_processes(self.slots) if kind == "api" else 1)

    @property
    def missed(self) -> bool:
        """Whether the floor is missed. It only applies if every slot has a core."""
        if self.workload == PLAIN_LOOPS:
            return False
        return self.slots <= (os.cpu_count() or 1) and self.efficiency < EFFICIENCY_FLOOR


def run(
    counts: Sequence[int], pins: Sequence[str], rounds: int, seconds: float, say: Callable[[str], None]
) -> list[ScalePoint]:
    """Measure each count with the first of `pins`, and the largest with all. Raises WrongVerdict, MeasurementFailed."""
    samples: dict[tuple[str, int, str], list[Sample]] = defaultdict(list)
    with ExitStack() as stack:
        services: dict[tuple[int, str], TemporaryService] = {}
        for slots, pin in [*((slots, pins[0]) for slots in counts), *((max(counts), pin) for pin in pins[1:])]:
            say(f"starting a service with {slots} slots, pinned: {pin}")
            service = services[slots, pin] = stack.enter_context(TemporaryService(slots, PIN=pin))
            side = HttpSide(SANDBOX, service.url, partial(SandboxDialect, slots=slots), slots)
            side.run(replace(find_workload("W1 batch64"), programs=16 * slots, concurrency=slots), 1.0)
        for number in range(rounds):
            for slots in counts:
                samples[PLAIN_LOOPS, slots, pins[0]].append(run_plain_loops(slots, seconds))
            for name in WORKLOADS[1:]:
                for (slots, pin), service in services.items():
                    side = HttpSide(SANDBOX, service.url, partial(SandboxDialect, slots=slots), slots)
                    sample = measure_round(side, scale_concurrency(find_workload(name), slots), seconds, service.meter)
                    samples[name, slots, pin].append(sample)
                    say(f"round {number + 1}/{rounds}  {name:<11} {slots:>3} slots {pin:<5} {sample.rate:9.1f}/s")
    return build_points(samples)


def run_plain_loops(number: int, seconds: float) -> Sample:
    """Measure how much work this many interpreters do in parallel."""
    command = [sys.executable, "-S", "-c", LOOP_SOURCE, str(seconds)]
    loops = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(number)]
    done = sum(int(loop.communicate()[0]) for loop in loops)
    return Sample(verdicts=done, elapsed_s=seconds)


def scale_concurrency(workload: Workload, slots: int) -> Workload:
    """Scale the number of concurrent requests with the slots, so that each slot has the same number."""
    if workload.stream:
        return workload
    return replace(workload, concurrency=(2 if workload.batch > 1 else 8) * slots)


def build_points(samples: dict[tuple[str, int, str], list[Sample]]) -> list[ScalePoint]:
    rates = {place: Spread.from_values([sample.rate for sample in rounds]) for place, rounds in samples.items()}
    pins = list(dict.fromkeys(pin for _, _, pin in samples))
    smallest = min(slots for _, slots, _ in samples)

    def compute_efficiency(name: str, slots: int, pin: str) -> float:
        return rates[name, slots, pin].median / slots / (rates[name, smallest, pins[0]].median / smallest)

    steps = []
    for (name, slots, pin), rounds in samples.items():
        used = {
            kind: Spread.from_values([sample.cpu_s[kind] / sample.elapsed_s for sample in rounds]).median
            for kind in rounds[0].cpu_s
        }
        reached = compute_efficiency(name, slots, pin)
        of_processor = reached / compute_efficiency(PLAIN_LOOPS, slots, pins[0])
        steps.append(ScalePoint(name, slots, pin, rates[name, slots, pin], reached, of_processor, used))
    return sorted(steps, key=lambda step: (WORKLOADS.index(step.workload), step.slots, pins.index(step.pin)))


def show(steps: Sequence[ScalePoint], console: Console) -> None:
    kinds = ("generator", "api", "redis", "workers", "boxes", "machine")
    table = Table(title=f"efficiency: rate per slot relative to the fewest slots; floor {EFFICIENCY_FLOOR:g}")
    for title in (
        "workload",
        "slots",
        "pinned",
        "verdicts/s",
        "efficiency",
        "of plain\nloops'",
        *(f"{kind}\ncores" for kind in kinds),
        "fullest",
    ):
        table.add_column(title, justify="left" if title in {"workload", "pinned", "fullest"} else "right")
    before = ""
    for step in steps:
        if step.workload != before:
            table.add_section()
        before = step.workload
        table.add_row(
            step.workload,
            str(step.slots),
            step.pin,
            f"{step.rate.median:.1f} ({step.rate.p10:.1f}-{step.rate.p90:.1f})",
            f"[{'red' if step.missed else 'green'}]{step.efficiency:.2f}[/]",
            f"{step.of_processor:.2f}",
            *(f"{step.cores_used.get(kind, 0.0):.2f}" for kind in kinds),
            "" if step.workload == PLAIN_LOOPS else step.fullest,
        )
    console.print(table)


def to_json(steps: Sequence[ScalePoint]) -> list[dict[str, Any]]:
    return [asdict(step) for step in steps]
