"""Compare the same number of slots on one host and on several, with real boxes, to measure the cost of spreading.

Hosts are network namespaces of one machine, each with its own `sandbox worker` and home folder, that reach one Redis
over their own links (`limits.Deployment`). Together they therefore have no more cores than a single host, and they
receive large texts through Redis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest.limits import Deployment
from loadtest.scale import scale_concurrency
from loadtest.sides import HttpSide, SandboxDialect
from loadtest.spread import Spread
from loadtest.workloads import find_workload

WORKLOADS = ("W1 single", "W1 batch64", "W2 py-20", "W5 rl-step")


@dataclass(frozen=True, slots=True)
class HostCountResult:
    """One workload with all slots on this many hosts; `ratio` is relative to the rate with the fewest hosts."""

    workload: str
    hosts: int
    slots: int
    rate: Spread
    ratio: float


def run(
    counts: Sequence[int], slots: int, rounds: int, seconds: float, say: Callable[[str], None]
) -> list[HostCountResult]:
    """Measure each host count with `slots` in total. Raises ValueError, WrongVerdict or MeasurementFailed."""
    if any(slots % hosts for hosts in counts):
        raise ValueError(f"{slots} slots cannot be split evenly over {', '.join(map(str, counts))} hosts")
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    with ExitStack() as stack:
        sides: dict[int, HttpSide] = {}
        first = 1
        for hosts in counts:
            say(f"starting {hosts} hosts with {slots // hosts} slots each")
            deployment = stack.enter_context(Deployment(hosts, slots // hosts, first))
            first += hosts
            sides[hosts] = HttpSide("ours", deployment.url, partial(SandboxDialect, slots=slots), slots)
            sides[hosts].run(scale_concurrency(find_workload("W1 batch64"), slots), 1.0)
        for number in range(rounds):
            for name in WORKLOADS:
                for hosts, side in sides.items():
                    rate = side.run(scale_concurrency(find_workload(name), slots), seconds).rate
                    rates[name, hosts].append(rate)
                    say(f"round {number + 1}/{rounds}  {name:<11} {hosts:>2} hosts {rate:9.1f}/s")
    return compare_host_counts(rates, slots)


def compare_host_counts(rates: dict[tuple[str, int], list[float]], slots: int) -> list[HostCountResult]:
    fewest = min(hosts for _, hosts in rates)
    spreads = {place: Spread.from_values(found) for place, found in rates.items()}
    return [
        HostCountResult(name, hosts, slots, spread, spread.median / spreads[name, fewest].median)
        for (name, hosts), spread in sorted(spreads.items(), key=lambda one: (WORKLOADS.index(one[0][0]), one[0][1]))
    ]


def show(found: Sequence[HostCountResult], console: Console) -> None:
    table = Table(title=f"{found[0].slots} slots, shared out")
    for title in ("workload", "hosts", "verdicts/s", "of the fewest"):
        table.add_column(title, justify="left" if title == "workload" else "right")
    for one in found:
        rate = f"{one.rate.median:.1f} ({one.rate.p10:.1f}-{one.rate.p90:.1f})"
        table.add_row(one.workload, str(one.hosts), rate, f"{one.ratio:.2f}")
    console.print(table)


def to_json(found: Sequence[HostCountResult]) -> list[dict[str, Any]]:
    return [asdict(one) for one in found]
