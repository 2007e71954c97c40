"""Training as a picture: held-out pass rates of each seed, and the rewards while it was reinforced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

BEFORE, AFTER = "#88aacc", "#224466"


def draw(folder: Path) -> Path:
    """Read `grpo.json` there, and `generate.json` where it is, and write `training.png` beside them."""
    runs: dict[str, dict[str, Any]] = json.loads((folder / "grpo.json").read_text(encoding="utf-8"))
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    bars, curves = figure.subplots(1, 2)
    _bars(bars, runs, _base_rate(folder))
    for name, run in runs.items():
        steps = [line for line in run["curve"] if line.get("reward") is not None]
        curves.plot([line["step"] for line in steps], [line["reward"] for line in steps], label=f"seed {name}")
    curves.set(xlabel="step", ylabel="mean reward", ylim=(0, 1), title="GRPO")
    curves.legend(fontsize="x-small")
    path = folder / "training.png"
    figure.savefig(path, dpi=80)
    return path


def _base_rate(folder: Path) -> float | None:
    """What the base model passes, where it was measured."""
    path = folder / "generate.json"
    return json.loads(path.read_text(encoding="utf-8")).get("pass_rate") if path.exists() else None


def _bars(axes: Any, runs: dict[str, dict[str, Any]], base: float | None) -> None:
    places = range(len(runs))
    axes.bar([place - 0.2 for place in places], [run["held_out_before"] for run in runs.values()], 0.4, color=BEFORE)
    axes.bar([place + 0.2 for place in places], [run["held_out_after"] for run in runs.values()], 0.4, color=AFTER)
    axes.set(ylim=(0, 1), ylabel="held-out pass rate", title="after SFT (light) and after GRPO (dark)")
    axes.set_xticks(list(places), [f"seed {name}".replace(", ", "\n") for name in runs], fontsize="x-small")
    if base is not None:
        axes.axhline(base, color="#cc3311", linestyle="--")
