"""Draw what each slot did during a step: a Gantt chart of the slots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from loadtest.plots import create_figure, save
from loadtest.tail import Bar, TailResult
from loadtest.workloads import ACCEPTED

QUICK_S = 0.5
QUICK_COLOUR, SLOW_COLOUR, ENDLESS_COLOUR, HELP_COLOUR = "#c7c7c7", "#1f77b4", "#d62728", "#ff7f0e"
LEGEND = {
    "quick program": QUICK_COLOUR,
    "0.5 s a test": SLOW_COLOUR,
    "endless": ENDLESS_COLOUR,
    "tests of another slot's program": HELP_COLOUR,
}


def draw_tail(results: Sequence[TailResult], folder: Path) -> list[Path]:
    """Draw the last step of each slot count, with and without spreading tests."""
    last = {(one.slots, one.spread): one for one in results}
    counts = sorted({slots for slots, _ in last})
    return [_draw_slots([last[key] for key in sorted(last) if key[0] == slots], folder) for slots in counts]


def _draw_slots(results: Sequence[TailResult], folder: Path) -> Path:
    from matplotlib.patches import Patch

    slots = results[0].slots
    figure, axes = create_figure(len(results), 1, 10, len(results) * (1.0 + 0.22 * slots))
    longest_s = max(one.makespan_s for one in results)
    for axis, one in zip(axes, results, strict=True):
        workers = sorted({bar.worker for bar in one.bars})
        for bar in one.bars:
            axis.barh(
                workers.index(bar.worker),
                bar.ended_s - bar.began_s,
                left=bar.began_s,
                height=0.8,
                color=choose_colour(bar),
                edgecolor="white",
                linewidth=0.3,
            )
        axis.axvline(one.bound_s, color="black", linewidth=0.8, linestyle="--")
        axis.set(xlim=(0, longest_s), yticks=[], ylabel="slots")
        spread = "tests spread over idle slots" if one.spread else "one slot per program"
        axis.set_title(
            f"{spread}: {one.makespan_s:.1f} s, {one.ratio:.2f} times the lower bound (dashed)", loc="left", fontsize=9
        )
    axes[-1].set_xlabel("seconds after the request")
    handles = [Patch(color=colour, label=label) for label, colour in LEGEND.items()]
    figure.legend(handles=handles, frameon=False, ncols=4, fontsize=8, loc="outside lower center")
    return save(figure, folder / f"tail_{slots}.png")


def choose_colour(bar: Bar) -> str:
    if bar.helped:
        return HELP_COLOUR
    if bar.verdict != ACCEPTED:
        return ENDLESS_COLOUR
    return SLOW_COLOUR if bar.ended_s - bar.began_s > QUICK_S else QUICK_COLOUR
