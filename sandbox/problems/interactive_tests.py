"""Judge the submissions of an interactive problem by its interactor, for the study of votes.

A vote compares outputs, but an interactive program has none that could be compared: the interactor decides. Its tests
need no labels, so a problem of this kind has only a TPR and a TNR.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.problems.check import RunFailed
from sandbox.problems.problem import Problem
from sandbox.problems.quality import ClientLike, split_submissions
from sandbox.runner.contract import Verdict
from sandbox.schema import VerifyRequest


@dataclass(frozen=True, slots=True)
class InteractiveRates:
    """How many of the right submissions pass all tests, and how many of those that must fail do."""

    name: str
    right: int
    right_passing: int
    wrong: int
    wrong_failing: int


def judge_submissions(problem: Problem, client: ClientLike) -> InteractiveRates:
    """Judge the submissions on all tests. Raises RunFailed if the service fails."""
    right, wrong = split_submissions(problem)
    programs = [*right, *wrong]
    requests = [VerifyRequest(**problem.build_verify_request(each)) for each in programs]
    results = dict(client.verify_stream(requests))
    verdicts = [results[place].verdict for place in range(len(programs))]
    if Verdict.INTERNAL_ERROR in verdicts:
        name = programs[verdicts.index(Verdict.INTERNAL_ERROR)].name
        raise RunFailed(f"{problem.name}: {name}: the service failed to judge it")
    right_passing = verdicts[: len(right)].count(Verdict.ACCEPTED)
    wrong_passing = verdicts[len(right) :].count(Verdict.ACCEPTED)
    return InteractiveRates(problem.name, len(right), right_passing, len(wrong), len(wrong) - wrong_passing)
