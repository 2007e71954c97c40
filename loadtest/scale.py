"""Throughput per slot count: a service for each count, all up at once and measured in turn, and what fills up first."""

from __future__ import annotations

import os
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

WORKLOADS = ("W1 single", "W1 batch64", "W2 py-20", "W5 rl-step")
# Each process of these can use one core and no more. Of the API there are several.
SINGLE = ("api", "redis", "generator")


@dataclass(frozen=True, slots=True)
class Step:
    """One workload on one number of slots; `cores_used` by kind of process."""

    workload: str
    slots: int
    rate: Spread
    efficiency: float
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
        return self.slots <= (os.cpu_count() or 1) and self.efficiency < EFFICIENCY_FLOOR


def run(counts: Sequence[int], rounds: int, seconds: float, say: Callable[[str], None]) -> list[Step]:
    """Raises WrongVerdict or Unanswered."""
    samples: dict[tuple[str, int], list[Sample]] = defaultdict(list)
    with ExitStack() as stack:
        services: dict[int, OwnService] = {}
        for slots in counts:
            say(f"starting a service with {slots} slots")
            services[slots] = stack.enter_context(OwnService(slots))
            side = HttpSide(OURS, services[slots].url, partial(Ours, slots=slots), slots)
            side.run(replace(named("W1 batch64"), programs=16 * slots, concurrency=slots), 1.0)
        for number in range(rounds):
            for name in WORKLOADS:
                for slots, service in services.items():
                    side = HttpSide(OURS, service.url, partial(Ours, slots=slots), slots)
                    sample = measured(side, filling(named(name), slots), seconds, service.meter)
                    samples[name, slots].append(sample)
                    say(f"round {number + 1}/{rounds}  {name:<11} {slots:>3} slots {sample.rate:9.1f}/s")
    return steps_of(samples)


def filling(workload: Workload, slots: int) -> Workload:
    """As many requests at one time as keep that many slots at work: so many for each, whatever their number."""
    if workload.stream:
        return workload
    return replace(workload, concurrency=(2 if workload.batch > 1 else 8) * slots)


def steps_of(samples: dict[tuple[str, int], list[Sample]]) -> list[Step]:
    smallest = min(slots for _, slots in samples)
    steps = []
    for (name, slots), rounds in samples.items():
        rate = Spread.of([sample.rate for sample in rounds])
        one = Spread.of([sample.rate for sample in samples[name, smallest]]).median / smallest
        used = {
            kind: Spread.of([sample.cpu_s[kind] / sample.elapsed_s for sample in rounds]).median
            for kind in rounds[0].cpu_s
        }
        steps.append(Step(name, slots, rate, rate.median / slots / one, used))
    return sorted(steps, key=lambda step: (WORKLOADS.index(step.workload), step.slots))


def show(steps: Sequence[Step], console: Console) -> None:
    kinds = ("generator", "api", "redis", "workers", "boxes", "machine")
    table = Table(title=f"efficiency: rate per slot over that of the fewest slots; floor {EFFICIENCY_FLOOR:g}")
    for title in ("workload", "slots", "verdicts/s", "efficiency", *(f"{kind}\ncores" for kind in kinds), "fullest"):
        table.add_column(title, justify="left" if title in {"workload", "fullest"} else "right")
    before = ""
    for step in steps:
        if step.workload != before:
            table.add_section()
        before = step.workload
        table.add_row(
            step.workload,
            str(step.slots),
            f"{step.rate.median:.1f} ({step.rate.p10:.1f}-{step.rate.p90:.1f})",
            f"[{'red' if step.missed else 'green'}]{step.efficiency:.2f}[/]",
            *(f"{step.cores_used.get(kind, 0.0):.2f}" for kind in kinds),
            step.fullest,
        )
    console.print(table)


def as_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [asdict(step) for step in steps]
