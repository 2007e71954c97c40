"""The rows of the benchmark's table: one side on one workload over all rounds, and all rows as JSON."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from loadtest.goals import GOALS, Goal, MeasuredGoal, evaluate_goals
from loadtest.peers import PEERS
from loadtest.sample import Sample
from loadtest.sides import BARE, COMPILE_EACH, SANDBOX
from loadtest.spread import Spread, compute_percentile, compute_ratios

SANDBOX_PROCESSES = ("api", "redis", "workers", "boxes")


@dataclass(slots=True)
class Row:
    """One side on one workload, over all rounds."""

    workload: str
    side: str
    samples: list[Sample]
    ratio: list[float] = field(default_factory=list)
    cpu_ratio: float = math.nan  # CPU per verdict, bare / this side: least sensitive to noise
    measured_goals: list[MeasuredGoal] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        return [sample.rate for sample in self.samples]

    @property
    def latencies_ms(self) -> list[float]:
        return [latency * 1000 for sample in self.samples for latency in sample.latencies_s]

    def compute_latency_ms(self, percent: float) -> float:
        return compute_percentile(self.latencies_ms, percent)

    def compute_cpu_ms(self, kind: str) -> float:
        """Return the CPU time per verdict; NaN if it was not measured."""
        known = [sample.compute_cpu_ms(kind) for sample in self.samples if kind in sample.cpu_s]
        return compute_percentile(known, 50)

    @property
    def overhead_ms(self) -> float:
        """The CPU time per verdict of all processes of the service, minus that of the programs themselves."""
        return sum(self.compute_cpu_ms(kind) for kind in SANDBOX_PROCESSES) - self.program_ms

    @property
    def program_ms(self) -> float:
        """The CPU time per verdict of the programs themselves, as reported by the service."""
        return compute_percentile([1000 * sample.program_cpu_s / sample.verdicts for sample in self.samples], 50)

    @property
    def all_cpu_ms(self) -> float:
        """The CPU time per verdict of all processes and the load generator; NaN if not all of it was measured."""
        if self.side == SANDBOX:
            return sum(self.compute_cpu_ms(kind) for kind in ("generator", *SANDBOX_PROCESSES))
        if self.side == BARE:
            return self.compute_cpu_ms("generator") + self.compute_cpu_ms("programs")
        return math.nan

    @property
    def others_share(self) -> float:
        """The share of the machine's cores that other processes used; NaN if unknown."""
        found = []
        for sample in self.samples:
            mine = sum(used for kind, used in sample.cpu_s.items() if kind != "machine")
            if "boxes" in sample.cpu_s or ("programs" in sample.cpu_s and self.side == BARE):
                spare = sample.cpu_s["machine"] - mine
                found.append(max(0.0, spare) / sample.measured_s / (os.cpu_count() or 1))
        return compute_percentile(found, 50)

    @property
    def wrong_share(self) -> float:
        """The share of the verdicts asked for that were wrong."""
        return sum(sample.wrong for sample in self.samples) / self._count_asked()

    @property
    def lost_share(self) -> float:
        """The share of the verdicts asked for that did not come."""
        return sum(sample.lost for sample in self.samples) / self._count_asked()

    def _count_asked(self) -> int:
        return max(1, sum(sample.verdicts + sample.wrong + sample.lost for sample in self.samples))

    @property
    def steal_share(self) -> float:
        """The largest share of the machine's CPU time that the hypervisor took during a round."""
        return max(sample.steal_share for sample in self.samples)

    @property
    def tail_ms(self) -> float:
        return compute_percentile([sample.tail_s * 1000 for sample in self.samples if sample.tail_s is not None], 50)


@dataclass(slots=True)
class Result:
    """The results of a run: the machine, the rows, what was left out and why, and throughput by concurrency."""

    machine: dict[str, Any]
    rows: list[Row]
    left_out: list[str]
    curve: dict[str, list[tuple[int, float]]] = field(default_factory=dict)

    @property
    def missed(self) -> list[tuple[Row, MeasuredGoal]]:
        return [(row, promise) for row in self.rows for promise in row.measured_goals if promise.mark == "missed"]

    @property
    def unmeasured(self) -> list[Goal]:
        """Goals of the workloads that were run for which nothing was measured."""
        sandbox_rows = {row.workload: row for row in self.rows if row.side == SANDBOX}
        covered = {(name, promise.goal.measure) for name, row in sandbox_rows.items() for promise in row.measured_goals}
        return [
            goal for goal in GOALS if goal.workload in sandbox_rows and (goal.workload, goal.measure) not in covered
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "machine": self.machine,
            "left_out": self.left_out,
            "curve": self.curve,
            "rows": [row_to_json(row) for row in self.rows],
        }


def row_to_json(row: Row) -> dict[str, Any]:
    return {
        "workload": row.workload,
        "side": row.side,
        "verdicts_per_s": asdict(Spread.from_values(row.rates)),
        "ratio_to_bare": asdict(Spread.from_values(row.ratio)) if row.ratio else None,
        "cpu_ratio_to_bare": _nan_to_none(row.cpu_ratio),
        "latency_ms": {f"p{percent}": row.compute_latency_ms(percent) for percent in (1, 10, 25, 50, 75, 90, 99, 100)},
        "cpu_ms_per_verdict": {kind: row.compute_cpu_ms(kind) for kind in sorted(row.samples[0].cpu_s)},
        "program_cpu_ms_per_verdict": [1000 * sample.program_cpu_s / sample.verdicts for sample in row.samples],
        "all_cpu_ms_per_verdict": _nan_to_none(row.all_cpu_ms),
        "others_share_of_machine": _nan_to_none(row.others_share),
        "overhead_cpu_ms": _nan_to_none(row.overhead_ms),
        "tail_ms": _nan_to_none(row.tail_ms),
        "steal_share": row.steal_share,
        "wrong_share": row.wrong_share,
        "lost_share": row.lost_share,
        "promises": [
            {**asdict(promise.goal), "value": promise.value, "mark": promise.mark} for promise in row.measured_goals
        ],
        "rounds": [{"verdicts": sample.verdicts, "elapsed_s": sample.elapsed_s} for sample in row.samples],
    }


def _nan_to_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def build_rows(samples: Mapping[tuple[str, str], Sequence[Sample]]) -> list[Row]:
    """Build one row per side and workload. Rows of the sandbox include the goals and the measured values."""
    rows = [Row(workload, side, list(rounds)) for (workload, side), rounds in samples.items()]
    by_name = {(row.workload, row.side): row for row in rows}
    for row in rows:
        bare = by_name.get((row.workload, BARE))
        if bare is not None:
            row.ratio = compute_ratios(row.rates, bare.rates)
            row.cpu_ratio = bare.all_cpu_ms / row.all_cpu_ms
        if row.side == SANDBOX:
            row.measured_goals = evaluate_goals(row.workload, collect_measures(row, by_name))
    order = list(dict.fromkeys(row.workload for row in rows))
    return sorted(rows, key=lambda row: (order.index(row.workload), row.side != SANDBOX, row.side))


def collect_measures(row: Row, by_name: Mapping[tuple[str, str], Row]) -> dict[str, float]:
    """Return the measured values that goals may refer to."""
    values = {
        "ratio": compute_percentile(row.ratio, 50),
        "p50_ms": row.compute_latency_ms(50),
        "tail_ms": row.tail_ms,
        "overhead_ms": row.overhead_ms,
    }
    judges = [by_name[row.workload, peer] for peer in (*PEERS, COMPILE_EACH) if (row.workload, peer) in by_name]
    if judges:
        best = max(judges, key=lambda judge: compute_percentile(judge.rates, 50))
        values["ratio_to_judges"] = compute_percentile(compute_ratios(row.rates, best.rates), 50)
    return {measure: value for measure, value in values.items() if not math.isnan(value)}
