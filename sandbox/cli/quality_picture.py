"""A picture of a kill matrix: a row for each program, a column for each test, and the kills of each test below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.cli.console import EXIT_USAGE, fail

if TYPE_CHECKING:
    from sandbox.schema.quality import QualityResult

# Okabe and Ito's colors, which people with color blindness can tell apart.
_COLORS = {
    "accepted": "#dce9dc",
    "wrong_answer": "#d55e00",
    "time_limit_exceeded": "#0072b2",
    "memory_limit_exceeded": "#cc79a7",
    "output_limit_exceeded": "#e69f00",
    "runtime_error": "#009e73",
    "compile_error": "#999999",
    "internal_error": "#555555",
    "skipped": "#eeeeee",
}
_KEPT = "#225ea8"
MAX_LABELS = 60
MAX_NAME_CHARS = 40


def draw_matrix(path: Path, title: str, report: QualityResult, names: list[str]) -> None:
    """Write the picture in the format of the file's name, such as PNG or SVG. `names` are those of the tests."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        fail("a picture needs matplotlib: run pip install matplotlib", EXIT_USAGE)
    height = min(30.0, 0.2 * len(report.programs)) + 2.4
    figure = Figure(figsize=(min(30.0, 0.24 * len(names)) + 5, height), layout="constrained")
    cells, kills = figure.subplots(2, 1, sharex=True, height_ratios=[max(height - 2.4, 0.6), 0.8])
    _draw_cells(cells, report)
    cells.set_title(f"Kill matrix of {title}")
    _draw_kills(kills, report, names)
    figure.legend(handles=_list_patches(report), loc="outside right upper", fontsize=7)
    # Leave out the version and the date, so that the same report gives the same picture.
    metadata = {".png": {"Software": None}, ".svg": {"Date": None}}.get(path.suffix.lower())
    try:
        figure.savefig(path, dpi=120, metadata=metadata)
    except (OSError, ValueError) as error:
        fail(f"cannot write {path}: {error}", EXIT_USAGE)


def _draw_cells(axes: Any, report: QualityResult) -> None:
    """Draw the verdicts, with a line between right programs, wrong ones and mutants."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    verdicts = list(_COLORS)
    cells = [[verdicts.index(verdict) for verdict in row] for row in report.matrix]
    norm = BoundaryNorm(range(len(verdicts) + 1), len(verdicts))
    axes.imshow(cells, cmap=ListedColormap(list(_COLORS.values())), norm=norm, aspect="auto", interpolation="nearest")
    rows = len(report.programs)
    if rows <= MAX_LABELS:
        labels = [f"{each.name[-MAX_NAME_CHARS:]} ({each.fate.replace('_', ' ')})" for each in report.programs]
        axes.set_yticks(range(rows), labels, fontsize=7)
    else:
        axes.set_ylabel("program")
    kinds = [each.kind for each in report.programs]
    for row in range(1, rows):
        if kinds[row] != kinds[row - 1]:
            axes.axhline(row - 0.5, color="black", linewidth=1)


def _draw_kills(axes: Any, report: QualityResult, names: list[str]) -> None:
    columns = range(len(names))
    kept = set(report.smallest_suite.tests)
    colors = [_KEPT if test in kept else "#bbbbbb" for test in columns]
    axes.bar(columns, [test.kills for test in report.tests], color=colors)
    axes.set_ylabel("kills")
    if len(names) <= MAX_LABELS:
        axes.set_xticks(columns, [name[-MAX_NAME_CHARS:] for name in names], rotation=90, fontsize=7)
    else:
        axes.set_xlabel("test")


def _list_patches(report: QualityResult) -> list[Any]:
    """Return the entries of the legend."""
    from matplotlib.patches import Patch

    shown = {verdict for row in report.matrix for verdict in row}
    patches = [
        Patch(facecolor=color, edgecolor="#777777", label=verdict.replace("_", " "))
        for verdict, color in _COLORS.items()
        if verdict in shown
    ]
    return [*patches, Patch(color=_KEPT, label="in the smallest suite")]
