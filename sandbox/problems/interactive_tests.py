"""Judge the submissions of an interactive problem by its interactor, for the study of votes.

A vote compares outputs, but an interactive program has none that could be compared: the interactor decides. Its tests
need no labels, so a problem of this kind has only a TPR and a TNR.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from sandbox.problems.check import RunFailed
from sandbox.problems.problem import Problem
from sandbox.runner.contract import Verdict
from sandbox.schema import VerifyRequest, VerifyResult


class ClientLike(Protocol):
    """The method of `sandbox.client.Client` that judging needs."""

    def verify_stream(self, submissions: Iterable[VerifyRequest]) -> Iterator[tuple[int, VerifyResult]]: ...


@dataclass(frozen=True, slots=True)
class InteractiveRates:
    """How many of the right submissions pass all tests, and how many of the others fail one."""

    name: str
    right: int
    right_passing: int
    wrong: int
    wrong_failing: int


def judge_submissions(problem: Problem, client: ClientLike) -> InteractiveRates:
    """Judge every submission on all tests. Raises RunFailed if the service fails."""
    requests = [VerifyRequest(**problem.build_verify_request(each)) for each in problem.submissions]
    results = dict(client.verify_stream(requests))
    rates = {True: [0, 0], False: [0, 0]}
    for place, submission in enumerate(problem.submissions):
        verdict = results[place].verdict
        if verdict is Verdict.INTERNAL_ERROR:
            raise RunFailed(f"{problem.name}: {submission.name}: the service failed to judge it")
        is_right = submission.permitted == {Verdict.ACCEPTED}
        rates[is_right][0] += 1
        rates[is_right][1] += (verdict is Verdict.ACCEPTED) == is_right
    return InteractiveRates(problem.name, *rates[True], *rates[False])
