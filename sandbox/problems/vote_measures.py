"""The measures of votes whose truth is known, and the figures that papers publish for the same measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from sandbox.problems.vote_matrix import MeasuredProgram
from sandbox.verify.smallest_suite import find_smallest_suite

MIN_COST_S = 1e-4


@dataclass
class Counts:
    """Sums over votes, from which the measures follow. CPU times are those of right programs on the labeled tests."""

    votes: int = 0
    inputs: int = 0
    labels: int = 0
    right_labels: int = 0
    golden_right: int = 0
    right_programs: int = 0
    right_passing: int = 0
    wrong_programs: int = 0
    wrong_failing: int = 0
    all_tests_cpu_s: float = 0.0
    suite_cpu_s: float = 0.0

    def add(self, other: Counts) -> None:
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of one step with one number of candidates. A share without anything to count is None.

    `suite_saving` is how many times more CPU time all labeled tests take than the cheapest tests with the same kills.
    """

    step: str
    candidates: int
    votes: int
    label_accuracy: float | None
    labels_given: float | None
    golden_full_pass: float | None
    tpr: float | None
    tnr: float | None
    suite_saving: float | None


@dataclass(frozen=True, slots=True)
class Published:
    """A figure of a paper: a share, by the number of candidates if the paper states one."""

    source: str
    measure: str
    share: float
    candidates: int | None = None


# On other problems and with other programs, so they are no baseline. X-Coder's are from the repository JieWu02/X-Coder,
# data-recipe/test_generation/accuracy_reports.md.
PUBLISHED = (
    *(
        Published("X-Coder, arXiv 2601.06953", "label_accuracy", share, size)
        for size, share in {4: 0.9175, 8: 0.9208, 16: 0.9247}.items()
    ),
    *(
        Published("X-Coder, arXiv 2601.06953", "golden_full_pass", share, size)
        for size, share in {4: 0.842, 8: 0.85, 16: 0.858}.items()
    ),
    Published("AutoCode, arXiv 2510.12803", "tpr", 0.988),
    Published("AutoCode, arXiv 2510.12803", "tnr", 0.987),
    Published("CodeContests-O, arXiv 2601.13682", "tpr", 0.8935),
    Published("CodeContests-O, arXiv 2601.13682", "tnr", 0.9030),
    Published("TestCase-Eval, arXiv 2506.12278, best model", "tnr", 0.438),
    Published("TestCase-Eval, arXiv 2506.12278, people", "tnr", 0.933),
)


def summarize(step: str, size: int, counts: Counts) -> Measures:
    """Return the measures that follow from counts."""
    return Measures(
        step,
        size,
        counts.votes,
        _divide(counts.right_labels, counts.labels),
        _divide(counts.labels, counts.inputs),
        _divide(counts.golden_right, counts.votes),
        _divide(counts.right_passing, counts.right_programs),
        _divide(counts.wrong_failing, counts.wrong_programs),
        _divide(counts.all_tests_cpu_s, counts.suite_cpu_s),
    )


def count_programs(programs: Sequence[MeasuredProgram], passes: Mapping[int, Sequence[bool]], counts: Counts) -> None:
    """Count right programs that pass all tests, wrong ones that fail, and the CPU time of the tests.

    `passes[place]` has one value for each program: whether it passes the test whose input is at `place`.
    """
    for index, program in enumerate(programs):
        passes_all = all(row[index] for row in passes.values())
        counts.right_programs += program.is_right
        counts.right_passing += program.is_right and passes_all
        counts.wrong_programs += not program.is_right
        counts.wrong_failing += not program.is_right and not passes_all
    right = [program for program in programs if program.is_right]
    costs = [
        max(MIN_COST_S, sum(program.outcomes[place].usage.cpu_time_s for program in right) / len(right))
        for place in passes
    ]
    kills = [
        sum(
            1 << index
            for index, (program, passed) in enumerate(zip(programs, row, strict=True))
            if not (program.is_right or passed)
        )
        for row in passes.values()
    ]
    suite = find_smallest_suite(kills, costs)
    if suite.tests:
        counts.all_tests_cpu_s += sum(costs)
        counts.suite_cpu_s += suite.cost


def _divide(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None
