"""A dashboard and its panels: each has a title, its Prometheus queries, and the meaning of its values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from deploy.monitoring.colors import Tone
from deploy.monitoring.queries import rate

Shape = Literal["lines", "stacked", "number", "heatmap"]


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel. `queries` are pairs (PromQL, legend); `unit` is a name from Grafana's valueFormats.

    From each value in `thresholds`, the panel has that color; below the first one, it is good. `words` replace values.
    `alert` names the alert whose runbook the panel links to.
    """

    title: str
    unit: str
    meaning: str
    queries: tuple[tuple[str, str], ...]
    shape: Shape = "lines"
    thresholds: tuple[tuple[float, Tone], ...] = ()
    words: tuple[tuple[str, str, Tone], ...] = ()
    alert: str = ""


def plot_rate(title: str, meaning: str, counter: str, *labels: str) -> Panel:
    """Return a panel that shows a counter's events per second by these labels."""
    return Panel(title, "ops", meaning, ((rate(counter, *labels), " ".join(f"{{{{{label}}}}}" for label in labels)),))


def plot_gauge(title: str, unit: str, meaning: str, gauge: str, label: str, aggregate: str = "max") -> Panel:
    """Return a panel that shows a gauge by one label, aggregated over hosts and processes."""
    return Panel(title, unit, meaning, ((f"{aggregate} by ({label}) (sandbox_{gauge})", f"{{{{{label}}}}}"),))


def add_thresholds(panel: Panel, *thresholds: tuple[float, Tone], alert: str = "") -> Panel:
    """Return the panel with thresholds, and with a link to an alert's runbook if one is named."""
    return replace(panel, thresholds=thresholds, alert=alert)


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard: rows of panels, each row with a heading."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(panel for _, panels in self.rows for panel in panels)
