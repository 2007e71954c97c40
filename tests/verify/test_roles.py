"""Roles of programs in a vote, on outcomes of runs."""

from __future__ import annotations

import pytest

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify.golden import VoteOutcome, decide_vote
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.roles import Role, check_role
from sandbox.verify.voting import NoLabel, Policy
from tests.verify.outcome_matrices import TIMED_OUT, build_matrix

TOKENS = CheckerChoice("tokens", {})
TIMEOUT = Outcome(Status.TIME_LIMIT_EXCEEDED)
CANDIDATE, REFERENCE, BRUTE, WRONG, SLOW = Role.CANDIDATE, Role.REFERENCE, Role.BRUTE, Role.WRONG, Role.SLOW


def decide(*programs: tuple[Role, str | Outcome]) -> VoteOutcome:
    """Vote on one input. Each program has a role, and an output or the outcome of its run."""
    matrix = [
        [one if isinstance(one, Outcome) else Outcome(Status.OK, exit_code=0, stdout=one.encode())]
        for _, one in programs
    ]
    roles = [role for role, _ in programs]
    policy = Policy(holdout_fraction=0.0, golden_tie="first")
    return decide_vote(matrix, [b"1"], ["code"] * len(matrix), TOKENS, policy, roles=roles)


def test_the_output_of_a_reference_wins_against_the_majority() -> None:
    outcome = decide((CANDIDATE, "1"), (CANDIDATE, "1"), (CANDIDATE, "2"), (REFERENCE, "2"))
    [label] = outcome.labels
    assert (label.expected, label.by_reference, label.votes, label.cast) == (b"2", True, 1, 3)
    assert (label.supporters, label.dissenters) == ((2,), (0, 1))
    assert [row[0] for row in outcome.verdicts] == ["wrong_answer", "wrong_answer", "accepted", "accepted"]
    assert outcome.golden.index == 2


def test_references_that_disagree_give_no_label_and_are_named() -> None:
    [label] = decide((CANDIDATE, "1"), (CANDIDATE, "1"), (REFERENCE, "1"), (REFERENCE, "2")).labels
    assert (label.expected, label.why, label.objectors) == (None, NoLabel.REFERENCES_DISAGREE, (3,))


def test_the_votes_decide_if_no_reference_finishes() -> None:
    [label] = decide((CANDIDATE, "1"), (CANDIDATE, "1"), (REFERENCE, TIMEOUT)).labels
    assert (label.expected, label.by_reference, label.abstained) == (b"1", False, ())


def test_a_brute_program_votes_and_has_a_veto() -> None:
    [label] = decide((CANDIDATE, "1"), (CANDIDATE, "1"), (CANDIDATE, "1"), (BRUTE, "2")).labels
    assert (label.expected, label.why, label.objectors) == (None, NoLabel.BRUTE_VETO, (3,))
    [label] = decide((CANDIDATE, "1"), (BRUTE, "1")).labels
    assert (label.expected, label.votes) == (b"1", 2)


def test_a_brute_program_has_no_veto_where_it_does_not_finish_or_against_a_reference() -> None:
    [label] = decide((CANDIDATE, "1"), (CANDIDATE, "1"), (BRUTE, TIMEOUT)).labels
    assert (label.expected, label.abstained) == (b"1", (2,))
    [label] = decide((REFERENCE, "1"), (CANDIDATE, "1"), (BRUTE, "2")).labels
    assert (label.expected, label.objectors) == (b"1", (2,))


def test_one_program_has_one_vote_for_the_output_of_a_reference() -> None:
    matrix = [[Outcome(Status.OK, exit_code=0, stdout=text)] for text in (b"1", b"1", b"2", b"1")]
    policy = Policy(one_vote_per_program=True, holdout_fraction=0.0)
    roles = [CANDIDATE, CANDIDATE, CANDIDATE, REFERENCE]
    outcome = decide_vote(matrix, [b""], ["code"] * 4, TOKENS, policy, same_as=[0, 0, 2, 3], roles=roles)
    assert (outcome.labels[0].votes, outcome.labels[0].cast) == (1, 2)


@pytest.mark.parametrize("role", [WRONG, SLOW])
def test_wrong_and_slow_programs_do_not_vote_and_are_not_golden(role: Role) -> None:
    outcome = decide((role, "2"), (role, "2"), (role, "2"), (CANDIDATE, "1"), (CANDIDATE, "1"))
    [label] = outcome.labels
    assert (label.expected, label.cast, label.dissenters, label.abstained) == (b"1", 2, (), ())
    assert outcome.golden.index == 3
    assert decide((role, "1"), (CANDIDATE, "1"), (CANDIDATE, "1")).golden.index == 1


@pytest.mark.parametrize(
    ("role", "verdicts", "kept"),
    [
        (WRONG, [Verdict.ACCEPTED, Verdict.WRONG_ANSWER], True),
        (WRONG, [Verdict.ACCEPTED, Verdict.ACCEPTED], False),
        (WRONG, [Verdict.ACCEPTED, Verdict.INTERNAL_ERROR], None),
        (WRONG, [Verdict.SKIPPED], None),
        (SLOW, [Verdict.ACCEPTED, Verdict.TIME_LIMIT_EXCEEDED], True),
        (SLOW, [Verdict.ACCEPTED, Verdict.WRONG_ANSWER], False),
        (SLOW, [Verdict.INTERNAL_ERROR], None),
        (REFERENCE, [Verdict.ACCEPTED, Verdict.SKIPPED], True),
        (REFERENCE, [Verdict.ACCEPTED, Verdict.RUNTIME_ERROR], False),
        (REFERENCE, [Verdict.SKIPPED], None),
        (CANDIDATE, [Verdict.WRONG_ANSWER], None),
        (BRUTE, [Verdict.TIME_LIMIT_EXCEEDED], None),
    ],
)
def test_a_role_is_kept_broken_or_not_known(role: Role, verdicts: list[Verdict], kept: bool | None) -> None:
    assert check_role(role, verdicts) is kept


def test_a_candidate_that_a_brute_program_contradicts_can_lose_all_its_votes() -> None:
    matrix = build_matrix(["1", "9"], ["1", "9"], ["2", "8"], ["2", "8"], ["2", "8"], ["1", TIMED_OUT])
    roles = [Role.CANDIDATE] * 5 + [Role.BRUTE]
    vetoed = decide_vote(matrix, [b""] * 2, [""] * 6, TOKENS, Policy(), roles=roles)
    assert [label.expected for label in vetoed.labels] == [None, b"8"], "the brute program finishes one input only"
    strict = decide_vote(matrix, [b""] * 2, [""] * 6, TOKENS, Policy(brute_disqualifies=True), roles=roles)
    assert [label.expected for label in strict.labels] == [b"1", b"9"]
    assert strict.disqualified == [2, 3, 4]
    assert strict.golden.index == 0
    assert [row[1] for row in strict.verdicts] == ["accepted"] * 2 + ["wrong_answer"] * 3 + ["time_limit_exceeded"]


def test_brute_programs_that_disagree_disqualify_nobody() -> None:
    matrix = build_matrix(["1"], ["2"], ["1"], ["3"])
    roles = [Role.CANDIDATE, Role.CANDIDATE, Role.BRUTE, Role.BRUTE]
    policy = Policy(brute_disqualifies=True)
    assert decide_vote(matrix, [b""], [""] * 4, TOKENS, policy, roles=roles).disqualified == []
    alone = [Role.CANDIDATE, Role.CANDIDATE, Role.BRUTE, Role.WRONG]
    assert decide_vote(matrix, [b""], [""] * 4, TOKENS, policy, roles=alone).disqualified == [1]
