"""Plot `study.json` of `loadtest.label_study`: python -m loadtest.label_study_plot FOLDER."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TITLES = {
    "pass_rate": "right on held-out tasks",
    "hacking_rate": "wrong among the accepted",
    "rejected_right_rate": "rejected among the right",
    "label_accuracy": "labels that are right",
}


def draw(report: Mapping[str, Any], path: Path) -> None:
    """Draw a bar for each way to label, with a dot for each seed."""
    from matplotlib.figure import Figure

    kinds = list(report["labels"])
    figure = Figure(figsize=(12, 3), layout="constrained")
    for axes, (name, title) in zip(figure.subplots(1, len(TITLES)), TITLES.items(), strict=True):
        for place, kind in enumerate(kinds):
            values = collect(report, name, kind)
            if values:
                bars = axes.bar(place, sum(values) / len(values), width=0.6)
                axes.bar_label(bars, fmt="%.3f", padding=2)
                axes.plot([place] * len(values), values, "k.", markersize=4)
        axes.set_xticks(range(len(kinds)), kinds)
        axes.set(title=title, ylim=(0, 1.15), yticks=(0, 0.25, 0.5, 0.75, 1))
    figure.savefig(path, dpi=90)


def collect(report: Mapping[str, Any], name: str, kind: str) -> list[float]:
    """Return the values of a measure, one for each seed."""
    if name == "label_accuracy":
        share = report["labels"][kind]["right"]
        return [] if share is None else [share]
    return [row[name] for row in report["rows"] if row["labels"] == kind and row[name] is not None]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    draw(json.loads((folder / "study.json").read_bytes()), folder / "study.png")
