"""Render the benchmark's table."""

from __future__ import annotations

import math

from rich.console import Console
from rich.table import Table

from loadtest.goals import MeasuredGoal
from loadtest.result import Result, Row
from loadtest.sides import SANDBOX
from loadtest.spread import Spread

COLOURS = {"missed": "red", "floor": "yellow", "goal": "green"}
CPU_COLUMNS = {
    "load": "generator",
    "api": "api",
    "redis": "redis",
    "work": "workers",
    "box": "boxes",
    "prog": "programs",
}
MAX_NOISE_SHARE = 0.1
MIN_SHOWN_STEAL = 0.005
CAPTION = """\
A verdict is one judged test; medians of rounds (p10-p90). load to prog: milliseconds of CPU per verdict, of the load
generator or the pool's workers, the service's processes and boxes, and bare programs (docker-run: of its client only).
over: CPU of the service beyond the programs themselves. cpu x: CPU of bare over that of the service; noise affects it
least. noise: share of the machine that others used. compile-each: bare, compiled for each test, as many judges do."""
LEFT_ALIGNED = ("workload", "side")


def show(result: Result, console: Console, brief: bool = False) -> None:
    """Print the table. The `brief` one fits 100 columns."""
    machine = result.machine
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['slots']} slots, cgroup v{machine['cgroup']}, "
        f"Linux {machine['kernel']}; {machine['rounds']} rounds of {machine['seconds']:g} s; "
        f"load average at the end {machine['load_average'][0]:.1f}"
    )
    console.print(build_brief_table(result) if brief else build_table(result))
    for row in result.rows:
        if row.wrong_share or row.lost_share:
            shares = f"{row.wrong_share:.2%} of the verdicts were wrong, {row.lost_share:.2%} did not come"
            console.print(f"[red]failed[/]  {row.workload}: {row.side}: {shares}")
    noisy = [row for row in result.rows if row.others_share > MAX_NOISE_SHARE]
    if noisy:
        worst = max(row.others_share for row in noisy)
        console.print(
            f"[red]noise[/]  other processes used up to {worst:.0%} of the machine: this run's rates are unreliable"
        )
    worst_steal = max((row.steal_share for row in result.rows), default=0.0)
    if worst_steal > MIN_SHOWN_STEAL:
        console.print(f"[yellow]steal[/]  the hypervisor took up to {worst_steal:.0%} of the machine during a round")
    for line in result.left_out:
        console.print(f"[yellow]left out[/]  {line}")
    for goal in result.unmeasured:
        console.print(f"[yellow]not measured[/]  {goal.workload}: {goal.format_limit(goal.floor)}")
    for row, promise in result.missed:
        console.print(
            f"[red]missed[/]  {row.workload}: {promise.goal.format_limit(promise.goal.floor)}, is {promise.value:.2f}"
        )


def build_table(result: Result) -> Table:
    table = Table(caption=CAPTION, caption_justify="left", padding=(0, 1, 0, 0), pad_edge=False)
    titles = ["workload", "side", "verdicts/s", "x bare", "cpu x", "p50 ms", "p99 ms", *CPU_COLUMNS, "over", "noise"]
    for title in (*titles, "floor", "goal", "held"):
        left = title in {*LEFT_ALIGNED, "floor", "goal", "held"}
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    for row in result.rows:
        if row.side == SANDBOX:
            table.add_section()
        table.add_row(*format_cells(row))
    return table


BRIEF_TITLES = ("workload", "side", "verdicts/s", "x bare", "p50 ms", "p99 ms", "wrong", "lost", "floor", "held")


def build_brief_table(result: Result) -> Table:
    table = Table(padding=(0, 1, 0, 0), pad_edge=False)
    for title in BRIEF_TITLES:
        left = title in {*LEFT_ALIGNED, "floor", "held"}
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    for row in result.rows:
        if row.side == SANDBOX:
            table.add_section()
        table.add_row(*format_brief_cells(row))
    return table


def format_brief_cells(row: Row) -> list[str]:
    """Return the cells of `BRIEF_TITLES`: medians without their spread."""
    ratio = Spread.from_values(row.ratio).median
    return [
        row.workload,
        row.side,
        format_number(Spread.from_values(row.rates).median, 0 if row.rates and max(row.rates) >= 100 else 1),
        format_number(ratio, 2),
        format_latency(row.compute_latency_ms(50)),
        format_latency(row.compute_latency_ms(99)),
        *(f"{share:.1%}" if share else "" for share in (row.wrong_share, row.lost_share)),
        "\n".join(promise.goal.format_limit(promise.goal.floor) for promise in row.measured_goals),
        "\n".join(promise.mark for promise in row.measured_goals),
    ]


def format_markdown(result: Result) -> str:
    """Return the brief table as Markdown, with a line on the machine."""
    machine = result.machine
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['slots']} slots; medians of {machine['rounds']} rounds"
        f" of {machine['seconds']:g} s.",
        "",
        f"| {' | '.join(BRIEF_TITLES)} |",
        f"|{'|'.join(' --- ' for _ in BRIEF_TITLES)}|",
    ]
    for row in result.rows:
        cells = (cell.replace("\n", ", ").replace("|", "\\|") for cell in format_brief_cells(row))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def format_cells(row: Row) -> list[str]:
    ratio = Spread.from_values(row.ratio)
    return [
        row.workload,
        f"[bold]{row.side}[/]" if row.side == SANDBOX else row.side,
        format_spread(Spread.from_values(row.rates), 0 if row.rates and max(row.rates) >= 100 else 1),
        format_spread(ratio, 2),
        format_number(row.cpu_ratio, 2),
        format_latency(row.compute_latency_ms(50)),
        format_latency(row.compute_latency_ms(99)),
        *(format_number(row.compute_cpu_ms(kind), 2) for kind in CPU_COLUMNS.values()),
        format_number(row.overhead_ms, 2),
        "" if math.isnan(row.others_share) else f"{row.others_share:.0%}",
        "\n".join(promise.goal.format_limit(promise.goal.floor) for promise in row.measured_goals),
        "\n".join(
            "" if goal is None else f"{goal:g}" for goal in (promise.goal.goal for promise in row.measured_goals)
        ),
        "\n".join(map(format_outcome, row.measured_goals)),
    ]


def format_outcome(promise: MeasuredGoal) -> str:
    return f"[{COLOURS[promise.mark]}]{promise.mark}[/] {promise.value:.2f}"


def format_spread(spread: Spread, digits: int) -> str:
    if math.isnan(spread.median):
        return ""
    return f"{spread.median:.{digits}f} ({spread.p10:.{digits}f}-{spread.p90:.{digits}f})"


def format_latency(ms: float) -> str:
    return format_number(ms, 1 if ms < 1000 else 0)


def format_number(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
