"""Plot the scores of an evaluation by difficulty and by month, with the cutoff."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any


def plot_scores(result: dict[str, Any], path: Path) -> str:
    """Draw the plot to `path` and return the PNG as base64, or an empty string if matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return ""
    name = next(key for key in result["all"] if key.startswith("pass@"))
    by_month = {month: scores[name] or 0.0 for month, scores in result["by_month"].items()}
    bars = {"all": result["all"][name] or 0.0}
    bars |= {level: scores[name] or 0.0 for level, scores in result["by_difficulty"].items()}
    figure = Figure(figsize=(8 if by_month else 4, 3), layout="constrained")
    axes = figure.subplots(1, 2 if by_month else 1, squeeze=False)[0]
    axes[0].bar(list(bars), list(bars.values()), color="#4477aa")
    axes[0].set(ylim=(0, 1), ylabel=name, title="by difficulty" if len(bars) > 1 else "")
    if by_month:
        axes[1].plot(list(by_month), list(by_month.values()), marker="o", color="#4477aa")
        axes[1].set(ylim=(0, 1), title="by month of release")
        axes[1].tick_params(axis="x", rotation=60)
        _draw_cutoff(axes[1], list(by_month), result.get("cutoff", {}).get("date", "")[:7])
    figure.savefig(path, dpi=90)
    return base64.b64encode(path.read_bytes()).decode()


def _draw_cutoff(axis: Any, months: list[str], cutoff: str) -> None:
    """Draw a line before the first month from the cutoff on."""
    place = next((index for index, month in enumerate(months) if cutoff and month >= cutoff), None)
    if place is not None:
        axis.axvline(place - 0.5, color="#cc3311", linestyle="--")
