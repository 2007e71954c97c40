"""The parts of a report on a test suite as text, for the terminal and for the HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.schema.quality import QualityResult


def list_measures(report: QualityResult) -> list[tuple[str, str, str]]:
    """Return the name, value and meaning of each measure that is known."""
    suite = report.smallest_suite
    size = f"{len(suite.tests)} of {len(report.tests)}"
    cost = f"tests with the same kills, {suite.cpu_time_s:.3f} s instead of {suite.all_cpu_time_s:.3f} s"
    accuracy = None if report.verifier_accuracy is None else float(report.verifier_accuracy)
    return [
        ("TPR", _format(report.tpr), "right programs that pass all tests"),
        ("TNR", _format(report.tnr), "wrong programs that fail a test"),
        ("consistency", _format(report.consistency), "programs that get the right answer"),
        ("verifier accuracy", _format(accuracy), "1 if every wrong program fails a test"),
        ("mutation score", _format(report.mutation_score), "mutants that fail a test, equivalent ones included"),
        *((f"coverage@{point.tests}", _format(point.coverage), "on average") for point in report.coverage),
        ("smallest suite", size, cost + ("" if suite.exact else "; a smaller one may exist")),
    ]


def list_findings(report: QualityResult) -> list[tuple[str, list[int]]]:
    """Return kinds of problems, each with the positions of the programs that have it."""
    from sandbox.verify.quality_report import Fate, ProgramKind

    failing = [
        row
        for row, program in enumerate(report.programs)
        if program.kind is ProgramKind.RIGHT and program.fate is Fate.FAILED
    ]
    return [
        ("right, but fails", failing),
        ("wrong, but passes", report.survivors),
        ("may be equivalent", report.equivalent_candidates),
        ("not compiled", report.not_compiled),
        ("unjudged", report.unjudged),
    ]


def describe_program(report: QualityResult, position: int) -> str:
    """Return a program's name, followed by its mutation and its message, if it has them."""
    program = report.programs[position]
    change = program.mutation
    text = f"{program.name}, line {change.line}: {change.before} -> {change.after}" if change else program.name
    return f"{text} ({program.message.splitlines()[0]})" if program.message else text


def _format(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
