"""Plot trainings: held-out pass rates of each seed, rewards during RL, and the parts of a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

BEFORE_COLOUR, AFTER_COLOUR, WAIT_COLOUR = "#88aacc", "#224466", "#cc3311"
SHARE_COLOURS = ("#224466", "#dd8822", "#994455", "#117733")  # one per share of wrong labels

Runs = dict[str, dict[str, Any]]


def draw(folder: Path) -> Path:
    """Read `grpo.json` and, if present, `generate.json` and `grpo-late.json`, and write `training.png`."""
    runs: Runs = json.loads((folder / "grpo.json").read_text(encoding="utf-8"))
    late = folder / "grpo-late.json"
    figure = Figure(figsize=(13 if late.exists() else 9, 3.2), layout="constrained")
    bars, curves, *steps_axes = figure.subplots(1, 3 if late.exists() else 2)
    _draw_bars(bars, runs, _read_base_rate(folder))
    shares = list(dict.fromkeys(map(parse_label_share, runs)))
    for name, run in runs.items():
        steps = [line for line in run["curve"] if line.get("reward") is not None]
        place = shares.index(parse_label_share(name))
        first = name == next(one for one in runs if parse_label_share(one) == shares[place])
        curves.plot(
            [line["step"] for line in steps],
            [line["reward"] for line in steps],
            color=SHARE_COLOURS[place % len(SHARE_COLOURS)],
            linewidth=1.2,
            label=(shares[place] or "labels right") if first else None,
        )
    curves.set(xlabel="step", ylabel="mean reward", ylim=(0, 1), title="GRPO")
    curves.legend(fontsize="x-small")
    for axes in steps_axes:
        _draw_steps(axes, {"late": json.loads(late.read_text(encoding="utf-8")), "early": runs})
    path = folder / "training.png"
    figure.savefig(path, dpi=80)
    return path


def parse_label_share(name: str) -> str:
    """Return the label share in a training's name, such as "5% of labels wrong", or an empty string."""
    return name.partition(", ")[2]


def _read_base_rate(folder: Path) -> float | None:
    """Return the pass rate of the base model, if it was measured."""
    path = folder / "generate.json"
    return json.loads(path.read_text(encoding="utf-8")).get("pass_rate") if path.exists() else None


def _draw_steps(axes: Any, kinds: dict[str, Runs]) -> None:
    """Draw a step of the first seed for each kind of verdicts as stacked bars, in seconds."""
    timings = [next(iter(runs.values()))["timing"] for runs in kinds.values()]
    bottom = [0.0] * len(timings)
    parts = {
        "generate": [timing["generate_s"] for timing in timings],
        "wait for verdicts": [timing["verdict_s"] for timing in timings],
        "train": [timing["step_s"] - timing["generate_s"] - timing["verdict_s"] for timing in timings],
    }
    for (name, seconds), colour in zip(parts.items(), (BEFORE_COLOUR, WAIT_COLOUR, AFTER_COLOUR), strict=True):
        axes.bar(list(kinds), seconds, 0.6, bottom, label=name, color=colour)
        bottom = [low + more for low, more in zip(bottom, seconds, strict=True)]
    axes.set(ylabel="s", xlabel="verdicts", title="a step of GRPO", ylim=(0, max(bottom) * 1.4))
    axes.legend(fontsize="x-small", loc="upper right")


def _draw_bars(axes: Any, runs: Runs, base: float | None) -> None:
    places = range(len(runs))
    axes.bar(
        [place - 0.2 for place in places], [run["held_out_before"] for run in runs.values()], 0.4, color=BEFORE_COLOUR
    )
    axes.bar(
        [place + 0.2 for place in places], [run["held_out_after"] for run in runs.values()], 0.4, color=AFTER_COLOUR
    )
    axes.set(ylim=(0, 1.18), ylabel="held-out pass rate", title="after SFT (light) and after GRPO (dark)")
    axes.set_xticks(list(places), [name.partition(",")[0] for name in runs], fontsize="x-small")
    names = list(runs)
    for share in dict.fromkeys(map(parse_label_share, names)):
        of_share = [place for place, name in enumerate(names) if parse_label_share(name) == share]
        middle = sum(of_share) / len(of_share)
        axes.text(middle, 1.16, share.replace(" of", "\nof"), ha="center", va="top", fontsize="x-small")
    axes.set_xlabel("seed")
    if base is not None:
        axes.axhline(base, color=WAIT_COLOUR, linestyle="--")
