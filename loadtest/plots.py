"""Draw the plots. Only this module uses matplotlib, which is imported on demand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtest.result import Result, Row
from loadtest.scale import PLAIN_LOOPS, ScalePoint
from loadtest.sides import BARE, SANDBOX

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from loadtest.sweep import Series

COLOURS = {
    SANDBOX: "#1f77b4",
    BARE: "#7f7f7f",
    "docker-run": "#bcbd22",
    "compile-each": "#8c564b",
    "sandbox-fusion": "#d62728",
    "code-judge": "#ff7f0e",
}
KIND_COLOURS = {
    "the program itself": "#8c8c8c",
    "box: fork, isolation, supervisor": "#1f77b4",
    "workers": "#2ca02c",
    "redis": "#d62728",
    "api": "#ff7f0e",
    "load generator": "#c7c7c7",
}
MAX_POINTS = 2_000


def draw_bench(result: Result, folder: Path) -> list[Path]:
    """Draw throughput by concurrency, latencies, and the CPU breakdown."""
    written = []
    if result.curve:
        written.append(save(plot_throughput(result.curve), folder / "bench_throughput.png"))
    written.append(save(plot_latencies(result.rows), folder / "bench_latency.png"))
    written.append(save(plot_cpu_breakdown(result.rows), folder / "bench_cpu.png"))
    return written


def create_figure(rows: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "figure.dpi": 110})
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
    return figure, [axis for line in axes for axis in line]


def save(figure: Figure, path: Path) -> Path:
    from matplotlib import pyplot as plt

    figure.savefig(path)
    plt.close(figure)
    return path


def plot_throughput(curve: Mapping[str, Sequence[tuple[int, float]]]) -> Figure:
    figure, (axis,) = create_figure(1, 1, 7, 4.2)
    for side, points in curve.items():
        axis.plot(*zip(*points, strict=True), marker="o", label=side, color=COLOURS.get(side))
    axis.set_xscale("log", base=2)
    axis.set_xticks([concurrency for concurrency, _ in next(iter(curve.values()))])
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set_ylim(bottom=0)
    axis.set(xlabel="concurrent requests (a pool has at most one worker per core)", ylabel="verdicts/s")
    axis.set_title("W1: throughput against concurrency", loc="left")
    axis.legend(frameon=False)
    return figure


def plot_latencies(rows: Sequence[Row]) -> Figure:
    """Plot the distribution of request latencies, one panel per workload."""
    names = list(dict.fromkeys(row.workload for row in rows))
    columns = min(3, len(names))
    lines = math.ceil(len(names) / columns)
    figure, axes = create_figure(lines, columns, 4.2 * columns, 3.0 * lines)
    for axis, name in zip(axes, names, strict=False):
        for row in rows:
            if row.workload == name:
                values = sorted(row.latencies_ms)
                values = values[:: max(1, len(values) // MAX_POINTS)]
                share = [place / len(values) for place in range(len(values) + 1)]
                axis.step([values[0], *values], share, where="post", label=row.side, color=COLOURS.get(row.side))
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("")
        axis.set(xlabel="ms per request", ylabel="share of requests", ylim=(0, 1))
        axis.set_title(name, loc="left")
        axis.legend(frameon=False, fontsize=7)
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    return figure


def plot_cpu_breakdown(rows: Sequence[Row]) -> Figure:
    """Plot the CPU time per verdict by kind of process, relative to the bare side."""
    shown = [row for row in rows if row.side in {SANDBOX, BARE}]
    whole = {row.workload: row.all_cpu_ms for row in shown if row.side == BARE}
    figure, (axis,) = create_figure(1, 1, 9, 1.2 + 0.38 * len(shown))
    parts = [split_cpu_ms(row) for row in shown]
    scale = [100 / whole.get(row.workload, row.all_cpu_ms) for row in shown]
    left = [0.0] * len(shown)
    for kind, colour in KIND_COLOURS.items():
        widths = [part.get(kind, 0.0) * by for part, by in zip(parts, scale, strict=True)]
        axis.barh(range(len(shown)), widths, left=left, color=colour, label=kind)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for place, (end, part) in enumerate(zip(left, parts, strict=True)):
        axis.text(end + 1, place, f"{sum(part.values()):.3g} ms", va="center", fontsize=8)
    axis.set_yticks(range(len(shown)), [f"{row.workload}  {row.side}" for row in shown])
    axis.invert_yaxis()
    axis.set(xlabel="CPU per verdict, % of what bare needs", xlim=(0, 1.12 * max(left, default=100)))
    axis.set_title("Where the time goes", loc="left")
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def split_cpu_ms(row: Row) -> dict[str, float]:
    """Return milliseconds by the names in KINDS, leaving out what was not measured."""
    if row.side == BARE:
        return {"the program itself": row.compute_cpu_ms("programs"), "load generator": row.compute_cpu_ms("generator")}
    program = row.program_ms
    found = {
        "the program itself": program,
        "box: fork, isolation, supervisor": max(0.0, row.compute_cpu_ms("boxes") - program),
        "workers": row.compute_cpu_ms("workers"),
        "redis": row.compute_cpu_ms("redis"),
        "api": row.compute_cpu_ms("api"),
        "load generator": row.compute_cpu_ms("generator"),
    }
    return {kind: value for kind, value in found.items() if not math.isnan(value)}


def draw_sweep(series: Sequence[Series], folder: Path) -> list[Path]:
    """Draw one plot per series: the cost per request and per item by size."""
    return [save(_plot_series(one), folder / f"sweep_{one.name.replace(' ', '_')}.png") for one in series]


def _plot_series(series: Series) -> Figure:
    figure, (whole, item) = create_figure(1, 2, 9, 3.6)
    points: list[tuple[float, Any]] = [(point.size, point) for point in series.points]
    sizes = [size for size, _ in points]
    whole.errorbar(
        sizes,
        [point.spread.median * 1000 for _, point in points],
        yerr=[
            [(point.spread.median - point.spread.p10) * 1000 for _, point in points],
            [(point.spread.p90 - point.spread.median) * 1000 for _, point in points],
        ],
        marker="o",
        capsize=3,
    )
    item.plot(sizes, [point.spread.median * 1000 / max(1.0, size) for size, point in points], marker="o")
    for axis, what in ((whole, "request"), (item, series.item)):
        axis.set_xscale("symlog", linthresh=1)
        axis.set_yscale("log")
        axis.set(xlabel=series.unit, ylabel=f"ms a {what}")
    grows = "" if math.isnan(series.growth) else f": cost grows with the size to the power of {series.growth:.2f}"
    figure.suptitle(series.name + grows, x=0.01, ha="left")
    return figure


def draw_scale(steps: Sequence[ScalePoint], folder: Path) -> list[Path]:
    figure, (rate, efficiency) = create_figure(1, 2, 10, 4)
    usual = steps[0].pin
    for name in dict.fromkeys(step.workload for step in steps):
        mine = [step for step in steps if (step.workload, step.pin) == (name, usual)]
        slots = [step.slots for step in mine]
        if name == PLAIN_LOOPS:
            efficiency.plot(slots, [step.efficiency for step in mine], color="#888888", linestyle="--", label=name)
            continue
        (line,) = rate.plot(slots, [step.rate.median for step in mine], marker="o", label=name)
        first = mine[0].rate.median / mine[0].slots
        rate.plot(slots, [first * each for each in slots], linestyle=":", color=line.get_color())
        efficiency.plot(slots, [step.efficiency for step in mine], marker="o", label=name)
    efficiency.axhline(0.85, color="#d62728", linewidth=0.8, linestyle="--")
    efficiency.set_ylim(0, 1.15)
    for axis, what in ((rate, "verdicts/s (dotted: as many as slots times one)"), (efficiency, "efficiency")):
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set(xlabel="slots", ylabel=what)
        axis.legend(frameon=False)
    return [save(figure, folder / "scale.png")]
