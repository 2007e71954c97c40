"""`sandbox quality`: measure how well the tests of a request or of a problem package tell right from wrong programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.console import EXIT_USAGE, Url, connect_to_service, fail, format_faults
from sandbox.cli.quality_picture import draw_matrix
from sandbox.cli.quality_text import describe_program, list_findings, list_measures

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.problems.problem import Problem, Submission
    from sandbox.schema.quality import QualityRequest, QualityResult

MAX_SHOWN = 20


def quality(
    source: Annotated[
        Path, typer.Argument(exists=True, help="A JSON file with a QualityRequest, or the folder of a problem package.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write the report with its matrix as an HTML page.")] = None,
    png: Annotated[Path | None, typer.Option(help="Also write a picture of the matrix; needs matplotlib.")] = None,
    mutants: Annotated[
        int, typer.Option(min=0, max=512, help="Add mutants of a package's first accepted Python program.")
    ] = 0,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Choose other mutants of a package; default 0.", show_default=False)
    ] = None,
    url: Url = "",
) -> None:
    """Measure how well tests tell right programs from wrong ones, and find a smaller suite with the same kills.

    The command exits with 0 if every right program compiles and passes and no wrong program is known to pass, with 1 if
    not or if the service could not judge a program, and with 2 if the file or the package cannot be used.
    """
    if not source.is_dir() and (mutants or seed is not None):
        fail("--mutants and --seed are for packages; set mutants.count and mutants.seed in the file", EXIT_USAGE)
    with connect_to_service(url) as client:
        if source.is_dir():
            request, names = _read_package(source, client, mutants, seed or 0)
        else:
            request = _read_file(source)
            names = [str(position) for position in range(len(request.tests))]
        report = _judge(client, request)
    title = source.resolve().name
    if html is not None:
        from sandbox.cli.quality_page import render_page

        html.write_text(render_page(title, report, names), encoding="utf-8")
    if png is not None:
        draw_matrix(png, title, report, names)
    if as_json:
        typer.echo(report.model_dump_json())
    else:
        _show(report, names)
    raise typer.Exit(int(not _is_good(report)))


def _judge(client: Client, request: QualityRequest) -> QualityResult:
    """Return the report; show a progress bar for each phase while the programs are judged."""
    from rich.console import Console
    from rich.progress import Progress

    phases = {"tests": "programs", "outputs": "outputs of the inputs", "inputs": "surviving mutants on the inputs"}
    with Progress(console=Console(stderr=True), transient=True) as bars:
        tasks = {phase: bars.add_task(text, visible=False) for phase, text in phases.items()}
        return client.quality(
            request,
            on_progress=lambda progress: bars.update(
                tasks[progress.phase], visible=True, total=progress.total, completed=progress.done
            ),
        )


def _is_good(report: QualityResult) -> bool:
    from sandbox.verify.quality_report import ProgramKind

    all_compile = all(report.programs[row].kind is not ProgramKind.RIGHT for row in report.not_compiled)
    return report.tpr == 1.0 and all_compile and not report.survivors and not report.unjudged


def _read_file(path: Path) -> QualityRequest:
    from pydantic import ValidationError

    from sandbox.schema.quality import QualityRequest

    try:
        return QualityRequest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        fail(f"{path}: {format_faults(error)[0]}", EXIT_USAGE)


def _read_package(folder: Path, client: Client, mutants: int, seed: int) -> tuple[QualityRequest, list[str]]:
    from pydantic import ValidationError

    from sandbox.problems.check import ServiceRunner
    from sandbox.problems.importer import Options, find_packages, read_package
    from sandbox.problems.unsupported import Unsupported
    from sandbox.schema.quality import QualityRequest

    packages = find_packages(folder)
    if len(packages) != 1:
        fail(f"{folder} has {len(packages)} packages; give the folder of one", EXIT_USAGE)
    try:
        problem = read_package(packages[0], Options(runner=ServiceRunner(client)))
        request = QualityRequest.model_validate(build_request(problem, mutants, seed))
    except Unsupported as error:
        fail(f"{folder}: {error}", EXIT_USAGE)
    except ValidationError as error:
        fail(f"{folder}: {format_faults(error)[0]}", EXIT_USAGE)
    return request, [test.name for test in problem.tests]


def build_request(problem: Problem, mutants: int, seed: int) -> dict[str, Any]:
    """Return the request for a package: its right programs, references first, and those that must fail."""
    from sandbox.problems.quality import split_submissions
    from sandbox.schema.quality import MUTATED_LANGUAGES

    right, wrong = split_submissions(problem)
    options: dict[str, Any] = {}
    if mutants or not wrong:
        right.sort(key=lambda each: each.language not in MUTATED_LANGUAGES)
        options = {"mutants": {"count": mutants, "seed": seed} if mutants else {"seed": seed}}
    programs = {"right": [*map(_describe, right)], "wrong": [*map(_describe, wrong)]}
    return {**problem.build_judging(), **programs, **options}


def _describe(submission: Submission) -> dict[str, str]:
    from sandbox.schema.programs import MAX_NAME_CHARS

    name = submission.name.removeprefix("submissions/")[-MAX_NAME_CHARS:]
    return {"name": name, "language": submission.language, "code": submission.code}


def _show(report: QualityResult, names: list[str]) -> None:
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    measures = Table("measure", "value", "meaning", box=SIMPLE)
    for row in list_measures(report):
        measures.add_row(*row)
    console.print(measures)
    tests = Table("test", "kills", "alone", "cpu s", "keep", "note", box=SIMPLE)
    for position, (name, test) in enumerate(zip(names, report.tests, strict=True)):
        notes = ["fails right programs"] * bool(test.fails_right) + ["kills nothing"] * (
            position in report.kill_nothing
        )
        keep = "yes" if test.in_smallest_suite else ""
        alone = str(len(test.kills_alone) or "")
        tests.add_row(escape(name), str(test.kills), alone, f"{test.cpu_time_s:.3f}", keep, ", ".join(notes))
    console.print(tests)
    for title, positions in list_findings(report):
        for position in positions[:MAX_SHOWN]:
            console.print(f"{title}: {escape(describe_program(report, position))}", highlight=False)
        if len(positions) > MAX_SHOWN:
            console.print(f"{title}: {len(positions) - MAX_SHOWN} more", highlight=False)
