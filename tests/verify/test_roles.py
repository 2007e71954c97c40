"""Roles of programs in a vote, on outcomes of runs."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.verify.golden import VoteOutcome, decide_vote
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.roles import Role, check_role
from sandbox.verify.voting import Label, NoLabel, Policy
from tests.verify.outcome_matrices import CRASHED, TIMED_OUT, build_matrix

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


BRUTE_ROLES = [CANDIDATE, CANDIDATE, CANDIDATE, BRUTE]


def test_a_brute_program_can_label_the_inputs_that_it_finishes_without_a_second_vote() -> None:
    matrix = build_matrix(["2", "9"], ["2", "9"], ["3", "8"], ["1", TIMED_OUT])
    policy = Policy(brute_disqualifies=True, brute_labels=True)
    outcome = decide_vote(matrix, [b""] * 2, [""] * 4, TOKENS, policy, roles=BRUTE_ROLES)
    first, second = outcome.labels
    assert (first.expected, first.by_brute, first.votes, first.why) == (b"1", True, 1, None)
    assert (second.expected, second.why) == (None, NoLabel.NO_VOTES), "all candidates are wrong, so nobody is believed"
    assert outcome.golden.index is None


def test_the_label_of_a_brute_program_gives_way_to_a_reference_and_to_brute_programs_that_disagree() -> None:
    policy = Policy(brute_labels=True)
    roles = [REFERENCE, CANDIDATE, BRUTE]
    [label] = decide_vote(build_matrix(["1"], ["2"], ["2"]), [b""], [""] * 3, TOKENS, policy, roles=roles).labels
    assert (label.expected, label.by_reference, label.by_brute, label.objectors) == (b"1", True, False, (2,))
    roles = [CANDIDATE, CANDIDATE, BRUTE, BRUTE]
    [label] = decide_vote(build_matrix(["1"], ["1"], ["1"], ["2"]), [b""], [""] * 4, TOKENS, policy, roles=roles).labels
    assert (label.expected, label.by_brute, label.why) == (None, False, NoLabel.BRUTE_VETO)


def label_large_input(proven_after: int, *rows: Sequence[str | Outcome], min_votes: int = 2) -> Label:
    """Label the last input, which the brute program does not finish. It prints 1 on the two others."""
    matrix = build_matrix(*rows, ["1", "1", TIMED_OUT])
    policy = Policy(min_votes=min_votes, proven_after=proven_after, brute_disqualifies=True)
    roles = [*[CANDIDATE] * len(rows), BRUTE]
    return decide_vote(matrix, [b""] * 3, [""] * len(matrix), TOKENS, policy, roles=roles).labels[-1]


def test_the_vote_of_a_candidate_that_a_brute_program_confirms_suffices() -> None:
    wrong = ["2", "1", "8"]
    label = label_large_input(2, ["1", "1", "9"], wrong, wrong)
    assert (label.expected, label.votes, label.cast, label.supporters) == (b"9", 1, 1, (0,))


def test_one_confirmed_vote_does_not_suffice_against_another_vote_or_after_too_few_inputs() -> None:
    right = ["1", "1", "9"]
    assert label_large_input(2, right, ["1", "1", "8"]).why is NoLabel.TIE
    assert label_large_input(2, right, ["1", CRASHED, "8"]).why is NoLabel.TIE, "an unconfirmed candidate may dissent"
    assert label_large_input(3, right).why is NoLabel.MIN_VOTES
    assert label_large_input(2, ["1", CRASHED, "9"]).why is NoLabel.MIN_VOTES, "it fails where the brute program ends"
    assert label_large_input(2, right, right, ["1", "1", "8"], min_votes=3).why is NoLabel.MIN_VOTES


def test_with_many_votes_a_confirmed_candidate_changes_nothing() -> None:
    right, other = ["1", "1", "9"], ["1", "1", "8"]
    assert label_large_input(2, right, right, other).expected == b"9"
    assert label_large_input(2, right, right, other, other).why is NoLabel.TIE
