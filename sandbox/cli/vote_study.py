"""`sandbox problem study`: compare ways to vote on problems whose right answers are known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.console import EXIT_UNREACHABLE, EXIT_USAGE, Url, connect_to_service, fail, say

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.problems.interactive_tests import InteractiveRates
    from sandbox.problems.problem import Problem
    from sandbox.problems.vote_matrix import MeasuredProblem
    from sandbox.problems.vote_measures import Measures

TITLES = {
    "label_accuracy": "labels right",
    "labels_given": "labels given",
    "golden_full_pass": "golden right",
    "tpr": "TPR",
    "tnr": "TNR",
}


def study_votes(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A package, or a folder of packages.")],
    out: Annotated[Path, typer.Option(help="Folder for votes.json and the plot votes.png.")],
    candidates: Annotated[list[int], typer.Option(min=2, help="Number of candidates; may be repeated.")] = [4, 8, 16],  # noqa: B006
    repeats: Annotated[int, typer.Option(min=1, help="Votes for each problem and number of candidates.")] = 12,
    mutants: Annotated[int, typer.Option(min=0, help="Mutants of a right program per language.")] = 4,
    toy_tasks: Annotated[int, typer.Option(min=0, help="Number of generated toy tasks beside the packages.")] = 0,
    seed: Annotated[int, typer.Option(help="Seed of mutants, toy tasks and draws.")] = 0,
    url: Url = "",
) -> None:
    """Compare votes step by step, with candidates that share wrong ideas.

    The candidates are the submissions of the packages, in all languages, and mutants. Every step adds one technique:
    the default policy, the validator, the checker, large inputs, a brute-force program, disqualifying the candidates
    that it contradicts, its labels, trusting candidates that it confirms, and weights by leave-one-out AUC.
    """
    from sandbox.problems.check import RunFailed
    from sandbox.problems.vote_study import WEIGHT_STEPS, WRONG_BRUTE_STEPS, combine, count_votes

    out.mkdir(parents=True, exist_ok=True)
    with connect_to_service(url) as client:
        study = _Study(client, mutants, seed)
        try:
            study.measure_packages(folder)
            study.measure_toy_tasks(toy_tasks)
            if not study.problems:
                fail(f"{folder}: no package fits the study", EXIT_USAGE)
            counts = {each.name: count_votes(each, candidates, repeats, seed) for each in study.problems}
            others = [
                combine([count_votes(each, candidates, repeats, seed, steps) for each in study.problems])
                for steps in (WEIGHT_STEPS, WRONG_BRUTE_STEPS)
            ]
        except RunFailed as error:
            fail(f"{error}\nNothing was written: run the study again", EXIT_UNREACHABLE)
    measures = combine(list(counts.values()))
    groups = {
        "packages": combine([each for name, each in counts.items() if name not in study.toys]),
        "toy tasks": combine([each for name, each in counts.items() if name in study.toys]),
    }
    weights, wrong_brute = others
    numbers = {
        "problems": study.describe(),
        "measures": measures,
        "groups": groups,
        "weights": weights,
        "wrong_brute": wrong_brute,
        "interactive": study.interactive,
    }
    _write(out / "votes.json", numbers)
    _draw(measures, out / "votes.png")
    _show("step", measures)
    _show("step, if the brute program is wrong", wrong_brute)
    _show_weights(weights)
    _show_others(study.interactive)


class _Study:
    """Measures problems, and says what it did with each."""

    def __init__(self, client: Client, mutants: int, seed: int) -> None:
        self._client = client
        self._mutants = mutants
        self._seed = seed
        self.problems: list[MeasuredProblem] = []
        self.toys: set[str] = set()
        self.interactive: list[InteractiveRates] = []

    def measure_packages(self, folder: Path) -> None:
        from sandbox.problems.check import ServiceRunner
        from sandbox.problems.importer import Options, find_packages, read_package
        from sandbox.problems.interactive_tests import judge_submissions
        from sandbox.problems.unsupported import Unsupported
        from sandbox.schema.checkers import InteractiveChecker

        for package in find_packages(folder):
            try:
                problem = read_package(package, Options(runner=ServiceRunner(self._client)))
            except Unsupported as error:
                say(f"left out: {error}")
                continue
            if isinstance(problem.checker, InteractiveChecker):
                self.interactive.append(judge_submissions(problem, self._client))
                say(f"{problem.name}: interactive, so its tests need no labels")
            else:
                self._measure(problem)

    def measure_toy_tasks(self, count: int) -> None:
        from sandbox.gpu.training.toy_problems import generate_problems

        for problem in generate_problems(count, self._seed) if count else ():
            self.toys.add(problem.name)
            self._measure(problem)

    def _measure(self, problem: Problem) -> None:
        from sandbox.problems.unsupported import Unsupported
        from sandbox.problems.vote_matrix import measure_problem

        try:
            measured = measure_problem(problem, self._client, self._mutants, self._seed)
        except Unsupported as error:
            say(f"left out: {error}")
            return
        self.problems.append(measured)
        say(f"{measured.name}: {len(measured.programs)} programs, {len(measured.stdins)} inputs")

    def describe(self) -> list[dict[str, Any]]:
        """Return the number of programs and inputs of each problem."""
        return [
            {
                "name": each.name,
                "right": sum(program.is_right for program in each.programs),
                "wrong": sum(not program.is_right for program in each.programs),
                "cpp": sum(program.language == "cpp" for program in each.programs),
                "inputs": len(each.stdins),
                "invalid_inputs": each.truths.count(None),
            }
            for each in self.problems
        ]


def _write(path: Path, numbers: dict[str, Any]) -> None:
    """Write the numbers with one line for each row."""
    from sandbox.problems.vote_measures import PUBLISHED

    def format_rows(rows: Sequence[Any]) -> str:
        written = (json.dumps(row if isinstance(row, dict) else asdict(row)) for row in rows)
        return "[\n    " + ",\n    ".join(written) + "\n  ]"

    def format_fields() -> Iterator[str]:
        for name, value in {**numbers, "published": PUBLISHED}.items():
            if isinstance(value, dict):
                groups = ",\n  ".join(f"{json.dumps(key)}: {format_rows(rows)}" for key, rows in value.items())
                yield f"  {json.dumps(name)}: {{\n  {groups}\n  }}"
            else:
                yield f"  {json.dumps(name)}: {format_rows(value)}"

    path.write_text("{\n" + ",\n".join(format_fields()) + "\n}\n", encoding="utf-8")


def _show(heading: str, measures: Sequence[Measures]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("candidates", heading, *TITLES.values(), "suite cheaper")
    for each in measures:
        shares = [getattr(each, name) for name in TITLES]
        shown = ["" if share is None else f"{100 * share:.1f} %" for share in shares]
        saving = "" if each.suite_saving is None else f"{each.suite_saving:.1f} times"
        table.add_row(str(each.candidates), each.step, *shown, saving)
    Console().print(table)


def _show_others(interactive: Sequence[InteractiveRates]) -> None:
    from sandbox.problems.vote_measures import PUBLISHED

    for rates in interactive:
        say(
            f"{rates.name} (interactive): {rates.right_passing} of {rates.right} right programs pass, "
            f"{rates.wrong_failing} of {rates.wrong} others fail"
        )
    say("published, on other problems:")
    for figure in PUBLISHED:
        size = f", n = {figure.candidates}" if figure.candidates else ""
        say(f"  {TITLES[figure.measure]} {100 * figure.share:.2f} % ({figure.source}{size})")


def _show_weights(measures: Sequence[Measures]) -> None:
    from rich.console import Console
    from rich.table import Table

    sizes = list(dict.fromkeys(each.candidates for each in measures))
    table = Table("golden right: step, weights", *(f"n = {size}" for size in sizes))
    for step in dict.fromkeys(each.step for each in measures):
        shares = [each.golden_full_pass or 0.0 for each in measures if each.step == step]
        table.add_row(step, *(f"{100 * share:.1f} %" for share in shares))
    Console().print(table)


def _draw(measures: Sequence[Measures], path: Path) -> None:
    """Draw each measure by step, beside the papers' figures, if matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        say("no picture: matplotlib is not installed")
        return
    from sandbox.problems.vote_measures import PUBLISHED

    figure = Figure(figsize=(17, 5.2), layout="constrained")
    for axes, (name, title) in zip(figure.subplots(1, len(TITLES), sharey=True), TITLES.items(), strict=True):
        for size in dict.fromkeys(each.candidates for each in measures):
            rows = [each for each in measures if each.candidates == size]
            steps = [each.step for each in rows]
            axes.plot(steps, [getattr(each, name) for each in rows], marker="o", label=f"n = {size}")
        papers: dict[str, list[float]] = {}
        for published in PUBLISHED:
            if published.measure == name:
                papers.setdefault(published.source.replace(", arXiv", ","), []).append(published.share)
        for place, (source, shares) in enumerate(papers.items()):
            mean = sum(shares) / len(shares)
            axes.axhline(
                mean, color=f"C{4 + place}", linestyle="--", linewidth=1, label=f"{source}: {100 * mean:.1f} %"
            )
        axes.set(title=title, ylim=(0, 1.03))
        axes.tick_params(axis="x", rotation=60)
        axes.legend(fontsize=7, loc="lower right")
    figure.savefig(path, dpi=80)
