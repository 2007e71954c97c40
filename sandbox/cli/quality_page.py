"""The report on a test suite as one HTML page that loads nothing: measures, findings and the kill matrix."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from sandbox.cli.quality_text import describe_program, list_findings, list_measures

if TYPE_CHECKING:
    from sandbox.schema.quality import QualityResult

_STYLE = """
:root { color-scheme: light dark }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
table { border-collapse: collapse; margin: 1em 0 }
th, td { border: 1px solid #ccc; padding: 2px 6px; text-align: left }
.matrix { overflow-x: auto }
.matrix td { text-align: center; font-family: monospace }
.accepted { background: #e3f1e3 }
.failed { background: #f6cfcb }
.unknown { background: #eee }
.kept { outline: 2px solid #225ea8 }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1b1b1b }
  th, td { border-color: #555 }
  .accepted { background: #1f3a26 }
  .failed { background: #6b2420 }
  .unknown { background: #333 }
  .kept { outline-color: #7fb2ff }
}
"""
_LETTERS = {
    "accepted": "A",
    "wrong_answer": "W",
    "time_limit_exceeded": "T",
    "memory_limit_exceeded": "M",
    "output_limit_exceeded": "O",
    "runtime_error": "R",
    "compile_error": "C",
    "internal_error": "?",
    "skipped": "-",
}
_UNKNOWN = frozenset({"internal_error", "skipped", "compile_error"})


def render_page(title: str, report: QualityResult, names: list[str]) -> str:
    """Return the page; `names` are those of the tests."""
    return render_document(f"Quality of the tests of {title}", [render_quality(report, names)])


def render_document(heading: str, parts: Iterable[str]) -> str:
    """Return a page with this heading; `parts` are HTML."""
    head = f"<title>{escape(heading)}</title>\n<style>{_STYLE}</style>"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f"{head}\n</head>\n<body>\n<h1>{escape(heading)}</h1>",
            *parts,
            "</body>\n</html>\n",
        ]
    )


def render_quality(report: QualityResult, names: list[str]) -> str:
    """Return the measures, the findings and the kill matrix as HTML; `names` are those of the tests."""
    findings = [
        f"<li>{escape(kind)}: {escape(describe_program(report, position))}</li>"
        for kind, positions in list_findings(report)
        for position in positions
    ]
    letters = ", ".join(f"{letter} {verdict.replace('_', ' ')}" for verdict, letter in _LETTERS.items())
    return "\n".join(
        [
            render_table(("measure", "value", "meaning"), list_measures(report)),
            f"<h3>Programs to look at</h3>\n<ul>{''.join(findings) or '<li>none</li>'}</ul>",
            "<h3>Kill matrix</h3>",
            f"<p>{escape(letters)}. Outlined tests are the smallest suite with the same kills.</p>",
            _render_matrix(report, names),
        ]
    )


def render_table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of texts as HTML."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>" + "\n".join(lines) + "</table>"


def _render_matrix(report: QualityResult, names: list[str]) -> str:
    head = "".join(
        f'<th{" class=kept" if test.in_smallest_suite else ""} title="{escape(name)}: {test.kills} kills">{place}</th>'
        for place, (name, test) in enumerate(zip(names, report.tests, strict=True))
    )
    lines = [f"<tr><th>program</th><th>kind</th><th>result</th>{head}</tr>"]
    for program, verdicts in zip(report.programs, report.matrix, strict=True):
        cells = "".join(
            f'<td class="{_choose_class(verdict)}" title="{escape(name)}: {verdict}">{_LETTERS[verdict]}</td>'
            for name, verdict in zip(names, verdicts, strict=True)
        )
        about = f"<th>{escape(program.name)}</th><td>{program.kind}</td><td>{program.fate}</td>"
        lines.append(f"<tr>{about}{cells}</tr>")
    return '<div class="matrix"><table>' + "\n".join(lines) + "</table></div>"


def _choose_class(verdict: str) -> str:
    if verdict == "accepted":
        return "accepted"
    return "unknown" if verdict in _UNKNOWN else "failed"
