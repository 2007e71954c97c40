"""The report of the training loop: a row per step, and a plot of the pass rates."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.synth.resumable_jsonl import Record

NO_MATPLOTLIB = "matplotlib is not installed; run pip install matplotlib"


def build_row(name: str, step: Mapping[str, Any], completions: int) -> Record:
    """Build a row of the report, with None for what does not apply.

    `took_s` is the run time of the step's job. It includes `start_s`, the start of the engine or of the training, but
    not `waited_s`, the time in the queue. `verdict_share` is the part of a GRPO step that waited for verdicts, and
    `tail_s` the time from an evaluation's last token to its last verdict.
    """
    result = step.get("result", {})
    scores = result.get("all", {})
    return {
        "step": name,
        "job": step.get("job", ""),
        "took_s": step.get("took_s"),
        "waited_s": step.get("waited_s"),
        "start_s": sum_starts(result),
        "steps": result.get("steps"),
        "loss": _round_or_none(result.get("loss_last")),
        "verdict_share": _round_or_none(result.get("timing", {}).get("verdict_share")),
        "tail_s": result.get("generation", {}).get("last_token_to_last_verdict_s"),
        "pass@1": _round_or_none(scores.get("pass@1")),
        f"pass@{completions}": _round_or_none(scores.get(f"pass@{completions}")),
    }


def sum_starts(result: Mapping[str, Any]) -> float | None:
    """Return the seconds that a job took before it generated or trained, None for a job without a result."""
    if not result:
        return None
    phases: list[float] = [phase["took_s"] for phase in result.get("engine", ())]
    training_s: float = result.get("start", {}).get("took_s", 0.0)
    return round(sum(phases) + training_s, 1)


def _round_or_none(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def draw(report: Record, path: Path) -> str:
    """Plot the pass rates. Return why there is no plot, empty if there is one."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return NO_MATPLOTLIB
    rows = [row for row in report["table"] if row["step"].startswith(("evaluate", "general"))]
    if not rows:
        return "no evaluation has ended"
    figure = Figure(figsize=(1.5 + len(rows), 3), layout="constrained")
    axes = figure.subplots()
    names = [name for name in rows[0] if name.startswith("pass@")]
    for place, name in enumerate(names):
        width = 0.8 / len(names)
        places = [index + (place + 0.5) * width - 0.4 for index in range(len(rows))]
        axes.bar(places, [row[name] or 0.0 for row in rows], width, label=name)
    axes.set_xticks(range(len(rows)), [row["step"].removeprefix("evaluate ") for row in rows])
    general = report["data"].get("general_problems")
    label = f"of {report['data']['held_out_tasks']} held-out tasks" + (f"\n(general: of {general})" if general else "")
    axes.set(ylim=(0, 1), ylabel=label)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=90)
    return ""
