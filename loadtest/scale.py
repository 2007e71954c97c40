"""Throughput per slot count: a service for each count, all up at once and measured in turn, and what fills up first.

Those with most slots may be there once for each way of pinning them to CPUs (`SANDBOX_PIN`). Beside them so many plain
Python loops at one time, with no service at all: what the processor itself gives that many.
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

from loadtest.bench import OURS, measured
from loadtest.goals import EFFICIENCY_FLOOR
from loadtest.own_service import OwnService
from loadtest.sample import Sample
from loadtest.sides import HttpSide, Ours
from loadtest.spread import Spread
from loadtest.workloads import Workload, named
from sandbox.up import api_processes

PLAIN = "plain loops"
WORKLOADS = (PLAIN, "W1 single", "W1 batch64", "W2 py-20", "W5 rl-step")
LOOPS = """
import sys, time
rounds, end = 0, time.perf_counter() + float(sys.argv[1])
while time.perf_counter() < end:
    total = 0
    for number in range(20_000):
        total += number * 3
    rounds += 1
print(rounds)
"""
# Each process of these can use one core and no more. Of the API there are several.
SINGLE = ("api", "redis", "generator")


@dataclass(frozen=True, slots=True)
class Step:
    """One workload on one number of slots; `cores_used` by kind of process."""

    workload: str
    slots: int
    pin: str
    rate: Spread
    efficiency: float
    of_processor: float  # the efficiency, as a share of what plain loops have at so many
    cores_used: dict[str, float]

    @property
    def fullest(self) -> str:
        """The process that one core will be too little for first."""
        kind = max(SINGLE, key=self._share)
        return f"{kind} {self._share(kind):.0%} of a core"

    def _share(self, kind: str) -> float:
        return self.cores_used.get(kind, 0.0) / (api_processes(self.slots) if kind == "api" else 1)

    @property
    def missed(self) -> bool:
        """A promise only where every slot has a core."""
        if self.workload == PLAIN:
            return False
        return self.slots <= (os.cpu_count() or 1) and self.efficiency < EFFICIENCY_FLOOR


def run(
    counts: Sequence[int], pins: Sequence[str], rounds: int, seconds: float, say: Callable[[str], None]
) -> list[Step]:
    """The first of `pins` is for every count, the others for the largest only. Raises WrongVerdict or Unanswered."""
    samples: dict[tuple[str, int, str], list[Sample]] = defaultdict(list)
    with ExitStack() as stack:
        services: dict[tuple[int, str], OwnService] = {}
        for slots, pin in [*((slots, pins[0]) for slots in counts), *((max(counts), pin) for pin in pins[1:])]:
            say(f"starting a service with {slots} slots, pinned: {pin}")
            service = services[slots, pin] = stack.enter_context(OwnService(slots, PIN=pin))
            side = HttpSide(OURS, service.url, partial(Ours, slots=slots), slots)
            side.run(replace(named("W1 batch64"), programs=16 * slots, concurrency=slots), 1.0)
        for number in range(rounds):
            for slots in counts:
                samples[PLAIN, slots, pins[0]].append(plain_loops(slots, seconds))
            for name in WORKLOADS[1:]:
                for (slots, pin), service in services.items():
                    side = HttpSide(OURS, service.url, partial(Ours, slots=slots), slots)
                    sample = measured(side, filling(named(name), slots), seconds, service.meter)
                    samples[name, slots, pin].append(sample)
                    say(f"round {number + 1}/{rounds}  {name:<11} {slots:>3} slots {pin:<5} {sample.rate:9.1f}/s")
    return steps_of(samples)


def plain_loops(number: int, seconds: float) -> Sample:
    """What so many interpreters get done beside each other."""
    command = [sys.executable, "-S", "-c", LOOPS, str(seconds)]
    loops = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(number)]
    done = sum(int(loop.communicate()[0]) for loop in loops)
    return Sample(verdicts=done, elapsed_s=seconds)


def filling(workload: Workload, slots: int) -> Workload:
    """As many requests at one time as keep that many slots at work: so many for each, whatever their number."""
    if workload.stream:
        return workload
    return replace(workload, concurrency=(2 if workload.batch > 1 else 8) * slots)


def steps_of(samples: dict[tuple[str, int, str], list[Sample]]) -> list[Step]:
    rates = {place: Spread.of([sample.rate for sample in rounds]) for place, rounds in samples.items()}
    pins = list(dict.fromkeys(pin for _, _, pin in samples))
    smallest = min(slots for _, slots, _ in samples)

    def efficiency(name: str, slots: int, pin: str) -> float:
        return rates[name, slots, pin].median / slots / (rates[name, smallest, pins[0]].median / smallest)

    steps = []
    for (name, slots, pin), rounds in samples.items():
        used = {
            kind: Spread.of([sample.cpu_s[kind] / sample.elapsed_s for sample in rounds]).median
            for kind in rounds[0].cpu_s
        }
        reached = efficiency(name, slots, pin)
        of_processor = reached / efficiency(PLAIN, slots, pins[0])
        steps.append(Step(name, slots, pin, rates[name, slots, pin], reached, of_processor, used))
    return sorted(steps, key=lambda step: (WORKLOADS.index(step.workload), step.slots, pins.index(step.pin)))


def show(steps: Sequence[Step], console: Console) -> None:
    kinds = ("generator", "api", "redis", "workers", "boxes", "machine")
    table = Table(title=f"efficiency: rate per slot over that of the fewest slots; floor {EFFICIENCY_FLOOR:g}")
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
            "" if step.workload == PLAIN else step.fullest,
        )
    console.print(table)


def as_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [asdict(step) for step in steps]
