"""W8 step-tail: how long a training step waits for its slowest programs.

A step has 64 prompts with 8 completions and 10 tests each. 85 % of the programs are quick, 10 % take 0.5 s a test, and
5 % never end and have a limit of 2 s. No schedule can finish before the work is spread evenly over the slots, nor
before the longest test ends. The result is the makespan as a multiple of this lower bound.

On a machine with fewer cores than slots, `sleeping` programs wait instead of computing, and the bound counts elapsed
time instead of CPU time.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from loadtest.load_generator import MeasurementFailed
from loadtest.sample import Sample, check_verdicts
from loadtest.temporary_service import TemporaryService, read_machine_cpu_s
from loadtest.workloads import ACCEPTED, TINY_SOURCE, TOO_SLOW, Case, Task, make_tiny_case

COMPLETIONS = 8
TESTS = 10
SLOW_S = 0.5
LIMIT_S = 2.0
SLOW_SHARE, ENDLESS_SHARE = 0.10, 0.05
GOALS = {2: 1.10, 16: 1.15}  # by slots
RESPONSE_TIMEOUT_S = 1_800.0
COMPUTE = "import time\nwhile time.process_time() < {seconds}:\n    pass\n"
SLEEP = "import time\ntime.sleep({seconds})\n"
BAR_MESSAGES = {"judged": False, "ran tests for another worker": True}  # by log message: whether it helped
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Bar:
    """A period in which a slot was busy, in seconds after the request. `helped` means tests of another slot's item."""

    worker: int
    item: str
    began_s: float
    ended_s: float
    verdict: str
    helped: bool


@dataclass(frozen=True, slots=True)
class TailResult:
    """One step: times in seconds. `bound_s` is the lower bound of the makespan."""

    slots: int
    programs: int
    sleeping: bool
    spread: bool
    makespan_s: float
    bound_s: float
    others_share: float  # of the machine's CPU time during the step, used by processes outside the service
    bars: list[Bar] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        return self.makespan_s / self.bound_s

    @property
    def goal(self) -> float | None:
        return GOALS.get(self.slots)

    @property
    def idle_share(self) -> float:
        """The share of all slots' time until the end of the step in which they were idle."""
        busy_s = sum(bar.ended_s - bar.began_s for bar in self.bars)
        return 1.0 - busy_s / (self.slots * self.makespan_s)


def make_step(prompts: int, first: int, sleeping: bool = False) -> list[Task]:
    """Make the programs of a step, in an order that depends only on their number."""
    count = prompts * COMPLETIONS
    slow, endless = round(count * SLOW_SHARE), round(count * ENDLESS_SHARE)
    kinds = ["slow"] * slow + ["endless"] * endless + ["quick"] * (count - slow - endless)
    random.Random(count).shuffle(kinds)
    return [_make_program(kind, first + place, sleeping) for place, kind in enumerate(kinds)]


def _make_program(kind: str, index: int, sleeping: bool) -> Task:
    cases: tuple[Case, ...] = tuple(make_tiny_case(index, index + test) for test in range(TESTS))
    code, verdict = TINY_SOURCE.format(index=index), ACCEPTED
    if kind != "quick":
        seconds = SLOW_S if kind == "slow" else 1e6
        code = (SLEEP if sleeping else COMPUTE).format(seconds=seconds) + code
        verdict = ACCEPTED if kind == "slow" else TOO_SLOW
    return Task(code, cases, (verdict,) * TESTS, cpu_limit_s=LIMIT_S)


def run(
    slot_counts: Sequence[int], prompts: int, rounds: int, sleeping: bool, spreads: Sequence[bool], say: Say
) -> list[TailResult]:
    """Run steps on a service per slot count. Raises WrongVerdict or MeasurementFailed."""
    results: list[TailResult] = []
    for _ in range(rounds):
        for slots in slot_counts:
            for spread in spreads:
                with TemporaryService(slots, SPREAD_TESTS=str(spread).lower()) as service:
                    run_step(service, slots, make_step(1, Sample.draw_start_index(), sleeping), sleeping, spread)
                    step = make_step(prompts, Sample.draw_start_index(), sleeping)
                    results.append(run_step(service, slots, step, sleeping, spread))
                last = results[-1]
                say(f"{slots} slots, spread {spread}: {last.makespan_s:.1f} s of at least {last.bound_s:.1f}")
    return results


def run_step(service: TemporaryService, slots: int, step: Sequence[Task], sleeping: bool, spread: bool) -> TailResult:
    """Send a step as one batch, check every verdict, and read from the workers' logs what each slot did."""
    limits = {"cpu_time_s": LIMIT_S, "wall_time_s": LIMIT_S if sleeping else 10 * LIMIT_S}
    items = [
        {
            "language": task.language,
            "code": task.code,
            "tests": [{"stdin": case.stdin, "expected": case.expected} for case in task.cases],
            "limits": limits,
        }
        for task in step
    ]
    before, machine_before = service.meter.read(), read_machine_cpu_s()
    sent_at, began = time.time(), time.monotonic()
    response = httpx.post(f"{service.url}/verify/batch", json={"items": items}, timeout=RESPONSE_TIMEOUT_S)
    makespan_s = time.monotonic() - began
    machine_s, after = read_machine_cpu_s() - machine_before, service.meter.read()
    if response.status_code != 200:
        raise MeasurementFailed(f"HTTP {response.status_code}: {response.text[:500]}")
    tests_s: list[float] = []
    for task, result in zip(step, response.json()["results"], strict=True):
        check_verdicts(task, [test["verdict"] for test in result["tests"]])
        tests_s += [test["usage"]["wall_time_s" if sleeping else "cpu_time_s"] for test in result["tests"]]
    own_s = sum(after.values()) - sum(before.values())
    return TailResult(
        slots,
        len(step),
        sleeping,
        spread,
        makespan_s,
        max(sum(tests_s) / slots, *tests_s),
        max(0.0, 1.0 - own_s / machine_s),
        list(read_bars(service.log, sent_at)),
    )


def read_bars(log: Path, since: float) -> Iterator[Bar]:
    """Yield what each worker reported in its log after `since` (seconds since the epoch)."""
    for line in log.read_text(errors="replace").splitlines():
        if '"took_s"' not in line or not line.startswith("{"):
            continue
        entry = json.loads(line)
        ended_s = datetime.fromisoformat(entry["time"]).timestamp() - since
        if entry["message"] in BAR_MESSAGES and ended_s > 0:
            yield Bar(
                entry["process"],
                entry.get("item", entry["submission"]),
                ended_s - entry["took_s"],
                ended_s,
                entry.get("verdict", ""),
                BAR_MESSAGES[entry["message"]],
            )


def show(results: Sequence[TailResult], console: Console) -> None:
    table = Table(title="W8 step-tail: makespan over the lower bound")
    for title in ("slots", "programs", "spread", "makespan s", "bound s", "ratio", "goal", "idle", "others"):
        table.add_column(title, justify="right")
    for one in results:
        table.add_row(
            str(one.slots),
            f"{one.programs} {'sleeping' if one.sleeping else 'computing'}",
            "yes" if one.spread else "no",
            f"{one.makespan_s:.1f}",
            f"{one.bound_s:.1f}",
            f"[bold]{one.ratio:.3f}[/]",
            "" if one.goal is None else f"{one.goal:.2f}",
            f"{one.idle_share:.1%}",
            f"{one.others_share:.0%}",
        )
    console.print(table)


def to_json(results: Sequence[TailResult]) -> list[dict[str, Any]]:
    return [{**asdict(one), "ratio": one.ratio, "idle_share": one.idle_share} for one in results]
