"""`sandbox problem check`: run packages on the service and show the checks that failed."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import EXIT_FAILURE, EXIT_USAGE, Url, connect_to_service, fail, say
from sandbox.cli.jsonl import show_progress

if TYPE_CHECKING:
    from sandbox.problems.check import RunFailed
    from sandbox.problems.problem import Problem
    from sandbox.problems.report import Report
    from sandbox.verify.quality_report import QualityResult

EXIT_UNJUDGED = 3


def check_packages(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A package, or a folder of packages.")],
    failed_only: Annotated[bool, typer.Option("--failed-only", help="Show only what failed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all findings as one JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Also write the findings and the kill matrices as an HTML page.")
    ] = None,
    url: Url = "",
) -> None:
    """Run packages: their validators, their submissions and their time limits. Measure the quality of their tests.

    Tests that a package only describes in generators.yaml are generated first. The command exits with 0 if everything
    holds, with 1 if something does not, with 2 if a package cannot be read, and with 3 if nothing is known to be wrong
    but something could not be judged because of an internal error.
    """
    from sandbox.problems.check import RunFailed, ServiceRunner, check, count_steps
    from sandbox.problems.importer import Options, find_packages, read_package
    from sandbox.problems.unsupported import Unsupported

    packages = find_packages(folder)
    if not packages:
        fail(f"{folder} has no package: no folder in it has problem.yaml or problem.xml", EXIT_USAGE)
    reports: list[Report] = []
    unreadable: dict[str, str] = {}
    with connect_to_service(url) as client:
        for package in packages:
            try:
                problem: Problem = read_package(package, Options(runner=ServiceRunner(client)))
                counts = Counter[str]()
                with show_progress(problem.name, count_steps(problem), counts) as advance:

                    def step(counts: Counter[str] = counts) -> None:
                        counts["done"] += 1
                        advance()

                    reports.append(check(problem, client, step))
            except Unsupported as error:
                unreadable[str(package)] = str(error)
                say(f"{package}: {error}")
            except RunFailed as error:
                reports.append(_report_failed_run(package, error))
    if html is not None:
        from sandbox.cli.problem_page import render_page

        html.write_text(render_page(reports, unreadable), encoding="utf-8")
    if as_json:
        passed = not unreadable and all(each.passed for each in reports)
        typer.echo(json.dumps({"passed": passed, "packages": _build_json(reports), "unreadable": unreadable}))
    else:
        _show_tables(reports, failed_only)
    raise typer.Exit(EXIT_USAGE if unreadable else _choose_exit_code(reports))


def _report_failed_run(package: Path, error: RunFailed) -> Report:
    """Return a report on a package whose tests could not be generated."""
    from sandbox.problems.report import Finding, Report

    return Report(package.resolve().name, [Finding("generated tests", "generators", False, str(error), unjudged=True)])


def _choose_exit_code(reports: list[Report]) -> int:
    if any(report.failed for report in reports):
        return EXIT_FAILURE
    return 0 if all(report.passed for report in reports) else EXIT_UNJUDGED


def _build_json(reports: list[Report]) -> list[dict[str, object]]:
    return [
        {
            "name": report.name,
            "passed": report.passed,
            "findings": [dataclasses.asdict(finding) for finding in report.findings],
            "quality": report.quality and report.quality.model_dump(mode="json"),
        }
        for report in reports
    ]


def _show_tables(reports: list[Report], failed_only: bool) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    for report in reports:
        findings = [finding for finding in report.findings if not (failed_only and finding.passed)]
        unjudged = sum(finding.unjudged for finding in report.findings)
        failed = sum(not finding.passed for finding in report.findings) - unjudged
        table = Table("check", "name", "result", "cpu s", "detail", box=SIMPLE, title=report.name, title_justify="left")
        for finding in findings:
            result = "[green]ok[/]" if finding.passed else "[red]FAILED[/]"
            if finding.unjudged:
                result = "[yellow]unjudged[/]"
            time_s = f"{finding.cpu_time_s:.2f}" if finding.cpu_time_s else ""
            table.add_row(finding.kind, escape(finding.name), result, time_s, escape(finding.detail))
        if findings:
            console.print(table)
        console.print(
            f"{report.name}: {len(report.findings)} checks, {failed} failed" + f", {unjudged} unjudged" * bool(unjudged)
        )
        if report.quality is not None:
            console.print(_describe_quality(report.quality, report.suite_ratio), highlight=False)


def _describe_quality(quality: QualityResult, suite_ratio: float | None) -> str:
    """Return the rates and the smallest suite in one line."""
    tpr, tnr = ("unknown" if rate is None else f"{rate:.3f}" for rate in (quality.tpr, quality.tnr))
    suite = f"{len(quality.smallest_suite.tests)} of {len(quality.tests)} tests kill the same programs"
    cost = "" if suite_ratio is None else f" with 1/{suite_ratio:.1f} of the CPU time"
    return f"  TPR {tpr}, TNR {tnr}; {suite}{cost}"
