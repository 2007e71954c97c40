"""The reports on problem packages as one HTML page that loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from sandbox.cli.quality_page import render_document, render_quality, render_table

if TYPE_CHECKING:
    from sandbox.problems.report import Finding, Report


def render_page(reports: Sequence[Report], unreadable: dict[str, str]) -> str:
    """Return the page; `unreadable` has the reason for each package that could not be read."""
    return render_document("Problem packages", _render_parts(reports, unreadable))


def _render_parts(reports: Sequence[Report], unreadable: dict[str, str]) -> Iterator[str]:
    overview = [(report.name, _describe(report), *_list_suite(report)) for report in reports]
    overview += [(name, f"cannot be read: {reason}", "", "", "", "") for name, reason in unreadable.items()]
    yield render_table(("package", "result", "TPR", "TNR", "tests kept", "CPU of all / kept tests"), overview)
    for report in reports:
        yield f"<h2>{escape(report.name)}</h2>"
        yield render_table(("check", "name", "result", "cpu s", "detail"), map(_list_cells, report.findings))
        if report.quality is not None:
            yield render_quality(report.quality, report.test_names)


def _describe(report: Report) -> str:
    return "ok" if report.passed else "FAILED" if report.failed else "unjudged"


def _list_suite(report: Report) -> tuple[str, str, str, str]:
    quality = report.quality
    if quality is None:
        return "", "", "", ""
    ratio = "" if report.suite_ratio is None else f"{report.suite_ratio:.1f}"
    kept = f"{len(quality.smallest_suite.tests)} of {len(quality.tests)}"
    return _format_rate(quality.tpr), _format_rate(quality.tnr), kept, ratio


def _format_rate(rate: float | None) -> str:
    return "unknown" if rate is None else f"{rate:.3f}"


def _list_cells(finding: Finding) -> tuple[str, ...]:
    result = "ok" if finding.passed else "unjudged" if finding.unjudged else "FAILED"
    return finding.kind, finding.name, result, f"{finding.cpu_time_s:.2f}" if finding.cpu_time_s else "", finding.detail
