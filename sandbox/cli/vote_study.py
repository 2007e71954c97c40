"""`sandbox problem study`: compare ways to vote on problem packages, whose right answers are known."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import EXIT_UNREACHABLE, EXIT_USAGE, Url, connect_to_service, fail, say

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.problems.vote_matrix import MeasuredProblem
    from sandbox.problems.vote_study import Measures

# The published label accuracy, by number of candidates.
X_CODER_PAPER = {4: 0.9175, 8: 0.9208, 16: 0.9247}


def study_votes(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A package, or a folder of packages.")],
    out: Annotated[Path, typer.Option(help="Folder for votes.json and the plot votes.png.")],
    candidates: Annotated[list[int], typer.Option(min=2, help="Number of candidates; may be repeated.")] = [4, 8, 16],  # noqa: B006
    repeats: Annotated[int, typer.Option(min=1, help="Votes for each package and number of candidates.")] = 12,
    mutants: Annotated[int, typer.Option(min=0, help="Mutants of each reference, as wrong programs.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of mutants and draws.")] = 0,
    url: Url = "",
) -> None:
    """Compare votes step by step, with candidates that share wrong ideas.

    The candidates are the Python submissions of the packages and mutants. Every step adds one technique: the default
    policy, the validator, the checker, large inputs, a brute-force program, disqualifying the candidates that it
    contradicts, and weights by leave-one-out AUC.
    """
    from sandbox.problems.check import RunFailed
    from sandbox.problems.vote_study import study

    out.mkdir(parents=True, exist_ok=True)
    with connect_to_service(url) as client:
        try:
            problems = _measure(folder, client, mutants, seed)
            if not problems:
                fail(f"{folder}: no package fits the study", EXIT_USAGE)
            measures = study(problems, candidates, repeats, seed)
        except RunFailed as error:
            fail(f"{error}\nNothing was written: run the study again", EXIT_UNREACHABLE)
    (out / "votes.json").write_text(json.dumps([asdict(each) for each in measures], indent=2) + "\n", encoding="utf-8")
    _draw(measures, out / "votes.png")
    _show(measures)


def _measure(folder: Path, client: Client, mutants: int, seed: int) -> list[MeasuredProblem]:
    from sandbox.problems.check import ServiceRunner
    from sandbox.problems.importer import Options, find_packages, read_package
    from sandbox.problems.unsupported import Unsupported
    from sandbox.problems.vote_matrix import measure_problem

    measured = []
    for package in find_packages(folder):
        try:
            problem = read_package(package, Options(runner=ServiceRunner(client)))
            measured.append(measure_problem(problem, client, mutants, seed))
        except Unsupported as error:
            say(f"left out: {error}")
            continue
        say(f"{problem.name}: {len(measured[-1].programs)} programs, {len(measured[-1].stdins)} inputs")
    return measured


def _show(measures: list[Measures]) -> None:
    from rich.console import Console
    from rich.table import Table

    names = ("candidates", "step", "labels right", "labels given", "golden right", "TPR", "TNR")
    table = Table(*names)
    for each in measures:
        shares = (each.label_accuracy, each.labels_given, each.golden_full_pass, each.tpr, each.tnr)
        shown = ["" if share is None else f"{100 * share:.1f} %" for share in shares]
        table.add_row(str(each.candidates), each.step, *shown)
    Console().print(table)
    papers = ", ".join(f"{100 * share:.2f} % (n = {size})" for size, share in X_CODER_PAPER.items())
    say(f"labels right in X-Coder's paper, on other problems: {papers}")


def _draw(measures: list[Measures], path: Path) -> None:
    """Draw the label accuracy, the golden candidates and the TNR by step, if matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        say("no picture: matplotlib is not installed")
        return
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    titles = {"label_accuracy": "labels right", "golden_full_pass": "golden right", "tpr": "TPR", "tnr": "TNR"}
    for axes, (name, title) in zip(figure.subplots(1, len(titles), sharey=True), titles.items(), strict=True):
        for size in dict.fromkeys(each.candidates for each in measures):
            rows = [each for each in measures if each.candidates == size]
            axes.plot(
                [each.step for each in rows], [getattr(each, name) for each in rows], marker="o", label=f"n = {size}"
            )
        axes.set(title=title, ylim=(0, 1.03))
        axes.tick_params(axis="x", rotation=60)
    axes.legend()
    figure.savefig(path, dpi=80)
