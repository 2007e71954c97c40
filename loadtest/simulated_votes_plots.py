"""Plot the results of `simulated_votes`: the effect of more candidates and of the policy, beside published figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

SHOWN_RATES = (0.05, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60)
SHOWN_SIZE = 16
INK, MUTED, PUBLISHED = "#222222", "#555555", "#d62728"


def draw(study: Mapping[str, Any], path: Path) -> None:
    mpl.use("Agg")
    plt.rcParams.update(
        {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left"}
    )
    figure, ((labels, golden), (label_rules, golden_rules)) = plt.subplots(2, 2, figsize=(13, 9.5), dpi=110)
    published = study["published"]
    draw_by_size(labels, study, "label_accuracy", published["label_accuracy"])
    labels.set_title("Right labels, % of all inputs (plurality: policy x-coder)")
    draw_by_size(golden, study, "golden_full_pass", published["golden_full_pass"])
    golden.set_title("Golden candidate right on every input, % of problems (x-coder)")
    draw_label_rules(label_rules, study)
    draw_golden_rules(golden_rules, study)
    about = study["about"]
    figure.suptitle(
        f"Voted labels and golden candidates: simulation, {about['problems']} problems of {about['inputs']} inputs",
        x=0.01,
        ha="left",
        fontsize=14,
        color=INK,
    )
    figure.tight_layout(rect=(0, 0, 1, 0.98), h_pad=2.5, w_pad=3)
    figure.savefig(path)
    plt.close(figure)


def select_series(study: Mapping[str, Any], policy: str, measure: str, **fixed: float) -> list[float]:
    return [
        row[measure]
        for row in study["rows"]
        if row["policy"] == policy and all(row[name] == value for name, value in fixed.items())
    ]


def draw_by_size(axes: Any, study: Mapping[str, Any], measure: str, published: Mapping[str, float]) -> None:
    """Draw one line per error rate over the number of candidates, labeled at its right end."""
    sizes = sorted({row["n"] for row in study["rows"]})
    colours = mpl.colormaps["viridis"]
    ends = []
    for number, rate in enumerate(SHOWN_RATES):
        values = select_series(study, "x-coder", measure, error_rate=rate)
        colour = colours(0.88 * number / (len(SHOWN_RATES) - 1))
        axes.plot(range(len(sizes)), values, color=colour, linewidth=1.8, marker="o", markersize=4)
        ends.append((values[-1], f"{rate:.0%} wrong", colour))
    axes.set_ylim(*axes.get_ylim())
    label_ends(axes, len(sizes) - 1, ends)
    places = [sizes.index(int(size)) for size in published]
    figures = list(published.values())
    axes.plot(places, figures, color=PUBLISHED, linewidth=0, marker="D", markersize=8, zorder=5)
    axes.text(
        0.99,
        0.04,
        "\N{BLACK DIAMOND} published by X-Coder: real candidates,\nerror rate not stated",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        color=PUBLISHED,
        fontsize=9,
    )
    axes.set_xticks(range(len(sizes)), [str(size) for size in sizes])
    axes.set_xlim(-0.15, len(sizes) - 0.55)
    axes.set_xlabel("candidates")
    style_axes(axes)


def label_ends(axes: Any, place: int, ends: list[tuple[float, str, Any]]) -> None:
    """Label the right ends of the lines, spread so that the labels do not overlap."""
    low, high = axes.get_ylim()
    gap, lowest = (high - low) * 0.045, high
    for value, name, colour in sorted(ends, key=lambda end: -end[0]):
        lowest = min(value, lowest - gap)
        axes.annotate(
            name,
            (place, value),
            xytext=(place + 0.08, lowest),
            va="center",
            color=colour,
            fontsize=9,
            annotation_clip=False,
        )


def draw_label_rules(axes: Any, study: Mapping[str, Any]) -> None:
    lines = [
        ("x-coder", "label_accuracy", "plurality: right, of all inputs", INK, "-"),
        ("uniform", "label_accuracy", "quorum 0.5, min 2: right, of all inputs", "#1f77b4", "-"),
        ("uniform", "labelled", "quorum 0.5, min 2: inputs that get a label", "#1f77b4", ":"),
        ("uniform", "label_accuracy_of_labelled", "quorum 0.5, min 2: right, of those labelled", "#2ca02c", "-"),
    ]
    draw_by_rate(axes, study, lines)
    axes.set_title(f"Labels by rule, {SHOWN_SIZE} candidates, %")


def draw_golden_rules(axes: Any, study: Mapping[str, Any]) -> None:
    lines = [
        ("x-coder", "golden_full_pass", "x-coder: plurality, uniform, no hold-out", INK, "-"),
        ("uniform", "golden_full_pass", "uniform weights, 30 % held out", "#1f77b4", "-"),
        ("confidence", "golden_full_pass", "weights by confidence, 30 % held out", "#ff7f0e", "--"),
        (
            "discrimination",
            "golden_full_pass",
            "weights by discrimination, 30 % held out (all three coincide)",
            "#9467bd",
            ":",
        ),
        ("uniform", "golden_full_pass_of_accepted", "uniform: of those the hold-out accepted", "#2ca02c", "-"),
        ("uniform", "accepted", "uniform: problems with an accepted candidate", "#2ca02c", ":"),
    ]
    draw_by_rate(axes, study, lines)
    axes.set_title(f"Golden candidate by policy, {SHOWN_SIZE} candidates, % of problems")


def draw_by_rate(axes: Any, study: Mapping[str, Any], lines: list[tuple[str, str, str, str, str]]) -> None:
    for policy, measure, name, colour, style in lines:
        values = select_series(study, policy, measure, n=SHOWN_SIZE)
        places = [100 * rate for rate in SHOWN_RATES]
        axes.plot(places, values, color=colour, linestyle=style, linewidth=1.9, marker="o", markersize=3.5, label=name)
    axes.set_xlabel("error rate: % of candidates that are wrong somewhere")
    style_axes(axes)


def style_axes(axes: Any) -> None:
    axes.grid(axis="y", color="#e5e5e5")
    axes.set_axisbelow(True)
    axes.set_ylim(top=101)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, loc="lower left", labelcolor=MUTED)
