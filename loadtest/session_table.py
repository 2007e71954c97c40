"""The rows of the sessions benchmark, with their goals, beside what others publish."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

# Published figures, each with the machine that it was measured on.
PUBLISHED = (
    ("open, one at a time", "CubeSandbox: 48 ms mean, p95 57 (96 threads); agent-sandbox: p50 92 ms, p99 376 (warm)"),
    ("execute", "nitrobox: 11 ms per command"),
    ("snippets per second", "NeMo-Skills: 19 IPython snippets/s, 59/s with pypy3"),
    ("fork", "CubeSandbox clones: 40-271 ms"),
    ("memory per idle session", "CubeSandbox: 25 MB at 1,000 instances"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One measured value with its goal; `None` as the goal means that there is none."""

    what: str
    value: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    detail: str = ""

    @property
    def missed(self) -> bool:
        if self.goal is None:
            return False
        return self.value < self.goal if self.at_least else self.value > self.goal


@dataclass(slots=True)
class SessionCosts:
    """All rows of a run, and the machine that it ran on."""

    machine: str
    rows: list[Row] = field(default_factory=list)

    @property
    def missed(self) -> bool:
        return any(row.missed for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        return {"machine": self.machine, "rows": [asdict(row) for row in self.rows], "published": PUBLISHED}


def show(costs: SessionCosts, console: Console) -> None:
    table = Table(title=f"Sessions on {costs.machine}")
    for name in ("what", "measured", "goal", "detail", "published by others"):
        table.add_column(name)
    published = dict(PUBLISHED)
    for row in costs.rows:
        goal = "" if row.goal is None else f"{'>=' if row.at_least else '<='} {row.goal:g} {row.unit}"
        color = "red" if row.missed else "green" if goal else ""
        value = f"{row.value:.2f} {row.unit}"
        table.add_row(
            row.what, f"[{color}]{value}[/]" if color else value, goal, row.detail, published.get(row.what, "")
        )
    console.print(table)
