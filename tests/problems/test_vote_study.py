"""The study of votes: draws with a shared wrong idea, and what each step of the ablation gains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from sandbox.problems.check import RunFailed
from sandbox.problems.vote_matrix import MeasuredProblem, MeasuredProgram, ServiceAgreement, is_right_everywhere
from sandbox.problems.vote_measures import Counts, count_programs
from sandbox.problems.vote_study import (
    STEPS,
    WEIGHT_STEPS,
    WRONG_BRUTE_STEPS,
    Draw,
    Step,
    combine,
    count_votes,
    draw_candidates,
    run_step,
    study,
)
from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, VerifyRequest, VerifyResult
from sandbox.schema.checkers import ProgramChecker
from sandbox.schema.vote import VoteRequest, VoteResult
from sandbox.verify.agreement import BuiltInAgreement
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.result import TestResult
from tests.verify.outcome_matrices import CRASHED, TIMED_OUT, build_outcome

SMALL, LARGE, INVALID = 6, 4, 2
STEP_OF = {step.name: step for step in STEPS}


def build_program(name: str, print_on: Callable[[int], str | Outcome], *, is_slow: bool = False) -> MeasuredProgram:
    """Build a program from its output on the input at each position: small, invalid, and then large ones."""
    printed = [print_on(place) for place in range(SMALL + INVALID + LARGE)]
    outcomes = [one if isinstance(one, Outcome) else build_outcome(one) for one in printed]
    return MeasuredProgram(name, name, outcomes, is_slow=is_slow)


def build_problem() -> MeasuredProblem:
    """Build a problem with float answers; the right answer to the input at position p is p / 2."""
    places = range(SMALL + INVALID + LARGE)
    valid = [not SMALL <= place < SMALL + INVALID for place in places]
    problem = MeasuredProblem(
        "halves",
        [b"x" * (place + 1) for place in places],
        [b"%.1f" % (place / 2) if valid[place] else None for place in places],
        BuiltInAgreement(CheckerChoice("float", {"absolute": 0.01, "relative": 0.0})),
    )
    large = SMALL + INVALID
    problem.programs = [
        build_program("right", lambda place: f"{place / 2:.1f}"),
        build_program("right, spelt otherwise", lambda place: f"{place / 2:.2f}"),
        build_program("idea", lambda place: f"{place // 2}"),
        build_program("overflow", lambda place: f"{place / 2:.1f}" if place < large else "0.3"),
        build_program("slow", lambda place: f"{place / 2:.1f}" if place < large else TIMED_OUT, is_slow=True),
    ]
    for program in problem.programs:
        program.is_right = not program.is_slow and is_right_everywhere(problem, program)
    return problem


def test_programs_are_right_by_the_checker_of_the_problem() -> None:
    assert [program.is_right for program in build_problem().programs] == [True, True, False, False, False]


def test_draws_are_reproducible_and_share_one_wrong_idea() -> None:
    problem = build_problem()
    drawn = draw_candidates(problem, 200, 0, seed=3)
    names = [program.name for program in drawn.candidates]
    assert names == [program.name for program in draw_candidates(problem, 200, 0, seed=3).candidates]
    wrong = [name for name in names if not name.startswith("right")]
    assert 0.5 < len(wrong) / len(names) < 0.7, "the first repeat draws 40 % right candidates"
    assert wrong.count(drawn.idea) > 0.75 * len(wrong)
    assert drawn.brute is not None
    assert drawn.brute.is_slow


def run(problem: MeasuredProblem, step: str | Step, *names: str) -> dict[str, float]:
    of_name = {program.name: program for program in problem.programs}
    drawn = Draw([of_name[name] for name in names], of_name["slow"], of_name["idea"])
    counts = run_step(problem, drawn, step if isinstance(step, Step) else STEP_OF[step])
    return {
        "labels": counts.labels,
        "wrong labels": counts.labels - counts.right_labels,
        "golden": counts.golden_right,
        "escaping": counts.wrong_programs - counts.wrong_failing,
        "punished": counts.right_programs - counts.right_passing,
    }


def test_a_validator_removes_labels_of_invalid_inputs_and_a_checker_lets_right_programs_agree() -> None:
    problem = build_problem()
    problem.stdins[SMALL] = b""  # an invalid input that is small
    right = ("right", "right", "right, spelt otherwise", "idea")
    assert run(problem, "default", *right)["wrong labels"] == 1
    validated = run(problem, "+ validator", *right)
    assert (validated["wrong labels"], validated["punished"]) == (0, 1)
    checked = run(problem, "+ checker", *right)
    assert (checked["wrong labels"], checked["punished"], checked["golden"]) == (0, 0, 1)


def test_large_inputs_fail_programs_that_are_right_on_small_ones() -> None:
    problem = build_problem()
    candidates = ("right", "right", "right, spelt otherwise", "idea")
    assert run(problem, "+ checker", *candidates)["escaping"] == 2, "the slow program and the one that overflows"
    assert run(problem, "+ sizes", *candidates)["escaping"] == 0


def test_a_brute_program_vetoes_a_shared_wrong_idea() -> None:
    problem = build_problem()
    candidates = ("right", "idea", "idea", "idea", "idea")
    assert run(problem, "+ sizes", *candidates)["wrong labels"] > 0
    vetoed = run(problem, "+ brute", *candidates)
    assert vetoed["wrong labels"] <= LARGE / 2, "only inputs that the brute program does not finish"


def test_a_wrong_brute_program_harms_most_where_it_is_trusted_most() -> None:
    problem = build_problem()
    wrong = [
        run(problem, step, "right", "right", "idea")["wrong labels"]
        for step in (WRONG_BRUTE_STEPS[0], WRONG_BRUTE_STEPS[3])
    ]
    assert wrong[0] < wrong[1]


def test_the_study_has_a_row_for_each_step_and_number_of_candidates() -> None:
    rows = study([build_problem()], [4, 8], repeats=6)
    assert [(row.candidates, row.step) for row in rows] == [(size, step.name) for size in (4, 8) for step in STEPS]
    assert rows == study([build_problem()], [4, 8], repeats=6)
    for row in rows:
        assert row.votes == 6
        assert row.label_accuracy is not None
        assert 0 <= row.label_accuracy <= 1
    of_step = {row.step: row for row in rows if row.candidates == 8}
    assert (of_step["+ sizes"].tnr or 0) >= (of_step["default"].tnr or 0)


def test_a_failure_of_the_service_ends_the_study_and_does_not_count_as_disagreement() -> None:
    class FailingClient:
        def execute_stream(self, programs: Iterable[ExecuteRequest]) -> Iterator[tuple[int, ExecuteResult]]:
            raise NotImplementedError

        def vote(self, request: VoteRequest) -> VoteResult:
            raise NotImplementedError

        def verify(self, submission: VerifyRequest) -> VerifyResult:
            tests = [TestResult(verdict=Verdict.INTERNAL_ERROR, message="no box starts")]
            return VerifyResult(id="1", verdict=Verdict.INTERNAL_ERROR, passed=0, total=1, score=0.0, tests=tests)

    problem = build_problem()
    checker = ProgramChecker(type="program", language="python", code="")
    problem.agreement = ServiceAgreement(FailingClient(), checker, problem.stdins)
    with pytest.raises(RunFailed, match="no box starts"):
        study([problem], [4], repeats=1)


def test_a_problem_without_wrong_programs_does_not_fit() -> None:
    problem = build_problem()
    problem.programs = problem.programs[:2]
    with pytest.raises(ValueError, match="needs right and wrong programs"):
        draw_candidates(problem, 4, 0, seed=0)


def test_a_program_that_crashes_somewhere_is_wrong() -> None:
    problem = build_problem()
    crashing = build_program("crashes", lambda place: CRASHED if place == 0 else f"{place / 2:.1f}")
    assert crashing.outcomes[0].status is Status.RUNTIME_ERROR
    assert not is_right_everywhere(problem, crashing)


def test_the_smallest_suite_is_compared_by_the_time_of_right_programs() -> None:
    problem = build_problem()
    counts = Counts()
    everyone = [True] * len(problem.programs)
    passes = {0: everyone, 1: [*everyone[:2], False, True, True], 2: [*everyone[:2], False, True, True]}
    count_programs(problem.programs, passes, counts)
    assert (counts.right_passing, counts.wrong_failing, counts.wrong_programs) == (2, 1, 3)
    assert counts.all_tests_cpu_s == pytest.approx(3 * counts.suite_cpu_s), "one of the three tests kills as much"


def test_problems_are_combined_by_their_sums() -> None:
    problem = build_problem()
    once = count_votes(problem, [4], repeats=3, seed=0, steps=STEPS[:2])
    [first, second] = combine([once, once])
    assert [first.step, second.step] == ["x-coder", "default"]
    assert (first.votes, first.tnr) == (6, combine([once])[0].tnr)
    assert combine([]) == []


def test_weights_and_a_wrong_brute_program_are_compared_at_some_steps() -> None:
    names = [step.name for step in WEIGHT_STEPS]
    assert names[0] == "default, uniform"
    assert len(names) == 15
    assert [step.name for step in WRONG_BRUTE_STEPS][:2] == ["+ brute, wrong brute", "+ disqualify, wrong brute"]
    assert STEP_OF["+ proven"].policy in [step.policy for step in WEIGHT_STEPS]
