"""The golden candidate: scored on one part of the labelled inputs, confirmed on the other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from sandbox.runner.contract import Outcome, Verdict
from sandbox.verify.golden import TieBreak, VoteOutcome, decide_vote, split
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.voting import X_CODER_POLICY, Policy, Weighting
from tests.verify.outcome_matrices import CRASHED, LOST, TIMED_OUT, build_matrix, build_outcome

TOKENS = CheckerChoice("tokens", {})
DEFAULT = Policy()
PROVED = Policy(holdout_fraction=0.0)


def vote(
    outcomes: Sequence[Sequence[Outcome]],
    policy: Policy = DEFAULT,
    sources: Sequence[str] | None = None,
    declared: Sequence[float] | None = None,
    inputs: Sequence[bytes] | None = None,
) -> VoteOutcome:
    inputs = inputs or [b"%d" % position for position in range(len(outcomes[0]))]
    return decide_vote(outcomes, inputs, sources or ["same"] * len(outcomes), TOKENS, policy, declared=declared)


def test_the_candidate_that_passes_most_is_golden() -> None:
    outcome = vote(build_matrix("1234", "12xx", "123x", "123y", "y2z4", "xyz5"), PROVED)
    assert [label.expected for label in outcome.labels] == [b"1", b"2", b"3", None]
    assert outcome.golden.index == 0
    assert [candidate.score for candidate in outcome.candidate_scores] == pytest.approx([1, 2 / 3, 1, 1, 1 / 3, 0])
    assert outcome.golden.accepted


def test_each_cell_has_its_verdict() -> None:
    outcome = vote([*build_matrix("11a", "11b", "12c"), [TIMED_OUT, CRASHED, LOST]])
    accepted, wrong, skipped = Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.SKIPPED
    assert outcome.verdicts == [
        [accepted, accepted, skipped],
        [accepted, accepted, skipped],
        [accepted, wrong, skipped],
        [Verdict.TIME_LIMIT_EXCEEDED, Verdict.RUNTIME_ERROR, Verdict.INTERNAL_ERROR],
    ]


def test_a_golden_candidate_that_fails_the_hold_out_is_not_accepted() -> None:
    good, policy = "a" * 10, Policy(holdout_fraction=0.3)
    _, held = split(range(10), policy)
    weak = "".join("x" if position in held else "a" for position in range(10))
    sources = ["short", "longer than short", "longer than short"]
    outcome = vote(build_matrix(weak, good, good), policy, sources)
    assert outcome.golden.index == 0, "on the selection part nothing tells them apart but their length"
    assert (outcome.golden.score, outcome.golden.holdout_passed, outcome.golden.holdout_total) == (
        1.0,
        0,
        3,
    )
    assert not outcome.golden.accepted


def test_no_run_ended_well() -> None:
    outcome = vote([[CRASHED, TIMED_OUT], [CRASHED, CRASHED]])
    assert outcome.golden.index is None
    assert not outcome.golden.accepted
    assert (outcome.selection, outcome.holdout) == ([], [])


def test_no_label_at_all() -> None:
    outcome = vote(build_matrix("ab", "cd"))
    assert outcome.golden.index is None
    assert not vote(build_matrix("ab", "cd"), PROVED).golden.accepted


def test_a_single_candidate_is_golden_where_one_vote_is_enough() -> None:
    assert vote(build_matrix("ab")).golden.index is None
    golden = vote(build_matrix("ab"), Policy(min_votes=1)).golden
    assert (golden.index, golden.holdout_passed, golden.holdout_total, golden.accepted) == (0, 1, 1, True)


def test_no_candidates_at_all() -> None:
    outcome = decide_vote([], [b"1"], [], TOKENS, Policy())
    assert outcome.golden.index is None
    assert outcome.labels == []


@pytest.mark.parametrize(
    ("labelled", "fraction", "held"),
    [(10, 0.3, 3), (10, 0.0, 0), (10, 0.01, 1), (10, 1.0, 9), (2, 0.9, 1), (1, 0.5, 0), (0, 0.5, 0)],
)
def test_never_all_inputs_are_held_out_and_never_none(labelled: int, fraction: float, held: int) -> None:
    selection, holdout = split(range(labelled), Policy(holdout_fraction=fraction))
    assert len(holdout) == held
    assert sorted([*selection, *holdout]) == list(range(labelled))


def test_one_label_leaves_nothing_to_prove_with() -> None:
    outcome = vote(build_matrix("a", "a"))
    assert (outcome.golden.index, outcome.golden.holdout_total) == (0, 0)
    assert not outcome.golden.accepted
    assert vote(build_matrix("a", "a"), PROVED).golden.accepted


def test_the_split_is_drawn_from_the_seed() -> None:
    splits = [split(range(40), Policy(seed=seed)) for seed in range(5)]
    assert splits == [split(range(40), Policy(seed=seed)) for seed in range(5)]
    assert len({tuple(holdout) for _, holdout in splits}) == 5


def test_among_equals_the_clearly_faster_then_the_shorter_then_the_first() -> None:
    slow, fast, near = ([build_outcome("a", seconds)] * 4 for seconds in (2.0, 0.2, 0.25))
    other = build_outcome("b", 0.1)
    for matrix, sources, index, tied, tie_break in (
        ([slow, fast, near], ["x", "xxx", "xx"], 2, 3, TieBreak.LENGTH),  # 50 ms are noise: the shorter
        ([slow, fast, near], ["x", "xx", "xx"], 1, 3, TieBreak.INDEX),  # equally long: the first
        ([slow, slow, slow], ["xx", "x", "x"], 1, 3, TieBreak.INDEX),
        ([slow, fast, slow], ["x", "xxx", "x"], 1, 3, TieBreak.CPU_TIME),
        ([fast, [*fast[:3], other], [*[other] * 3, fast[3]]], ["x", "x", "x"], 0, 1, None),
    ):
        golden = vote(matrix, PROVED, sources).golden
        assert (golden.index, golden.tied, golden.tie_break) == (index, tied, tie_break)


def test_x_coder_takes_the_first_of_the_best() -> None:
    slow, fast = [build_outcome("a", 2.0)], [build_outcome("a", 0.1)]
    outcome = vote([[build_outcome("b", 0.1)], slow, fast], X_CODER_POLICY, ["x", "xxx", "x"])
    assert (outcome.golden.index, outcome.golden.accepted) == (1, True)
    assert (outcome.golden.tied, outcome.golden.tie_break) == (2, TieBreak.INDEX)


# Three inputs: candidate 0 passes the first two, candidate 1 the last two, and so on. Weights decide which is golden.
LEANING = build_matrix("aax", "xaa", "aya", "aaa")


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("uniform", [1, 1, 1]),
        ("confidence", [3 / 4, 3 / 4, 3 / 4]),
        ("discrimination", [3 / 4, 3 / 4, 3 / 4]),
        ("size", [1, 2, 3]),
        ("declared", [5, 0.5, 1]),
    ],
)
def test_weights(weights: Weighting, expected: list[float]) -> None:
    policy = Policy(weights=weights, holdout_fraction=0.0)
    outcome = vote(LEANING, policy, declared=[5, 0.5, 1], inputs=[b"", b"1", b"123"])
    assert outcome.weights == pytest.approx(expected)
    assert outcome.golden.index == 3


def test_weights_decide_between_candidates_that_pass_as_many() -> None:
    outcomes = build_matrix("axc", "xbc", "abx", "qrs")
    policy = Policy(weights="declared", holdout_fraction=0.0)
    golden = [vote(outcomes, policy, declared=declared).golden.index for declared in ([1, 2, 3], [2, 1, 3], [3, 2, 1])]
    assert golden == [1, 0, 2]


def test_inputs_without_a_label_weigh_nothing() -> None:
    assert vote(build_matrix("ab", "ac"), Policy(weights="size")).weights[1] == 0


def test_discrimination_falls_back_where_all_agree() -> None:
    outcome = vote(build_matrix("aa", "aa"), Policy(weights="discrimination"))
    assert outcome.weights == [1.0, 1.0]
    assert outcome.golden.accepted


def test_the_same_request_has_the_same_answer() -> None:
    outcomes = build_matrix(*("".join("ab!"[(row * position) % 3] for position in range(12)) for row in range(9)))
    policy = Policy(tie="random", weights="discrimination", seed=11)
    assert vote(outcomes, policy) == vote(outcomes, policy)
