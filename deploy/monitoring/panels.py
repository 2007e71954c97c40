"""A dashboard and its panels: each has a title, its Prometheus queries, and the meaning of its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["lines", "stacked", "number", "heatmap"]


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel. `queries` are pairs (PromQL, legend); `unit` is a name from Grafana's valueFormats."""

    title: str
    unit: str
    meaning: str
    queries: tuple[tuple[str, str], ...]
    shape: Shape = "lines"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: rows of panels, each row with a heading."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for _, panels in self.rows for panel in panels)
