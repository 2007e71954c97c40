"""The poll for one input: who votes, which outputs count together, and when the largest group becomes the label."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.runner.contract import Outcome, Status
from sandbox.verify import agreement, checkers, voting
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.voting import (
    X_CODER_CHECKER,
    X_CODER_POLICY,
    Label,
    NoLabel,
    OutputInterner,
    Policy,
    TieBreak,
    label_inputs,
)
from tests.verify.outcome_matrices import (
    CRASHED,
    LOST,
    NOT_COMPILED,
    TIMED_OUT,
    Cell,
    build_column,
    build_matrix,
    build_outcome,
)

DEFAULT = Policy()
TOKENS = CheckerChoice("tokens", {})
FLOAT = CheckerChoice("float", {})


def label(
    *cells: Cell, checker: CheckerChoice = TOKENS, policy: Policy = DEFAULT, same_as: list[int] | None = None
) -> Label:
    return label_inputs(build_column(*cells), checker, policy, same_as)[0]


def test_the_majority_labels() -> None:
    found = label("4", "4\n", "5", "4")
    assert found.expected == b"4"
    assert (found.votes, found.cast, found.runner_up, found.confidence) == (3, 4, 1, 0.75)
    assert (found.supporters, found.dissenters, found.abstained) == ((0, 1, 3), (2,), ())
    assert not found.tie
    assert found.why is None


def test_a_wrong_majority_labels_wrongly() -> None:
    assert label("5", "5", "4", "5").expected == b"5"  # a vote does not know the correct answer; the hold-out checks it


def test_only_runs_that_ended_well_vote() -> None:
    found = label(CRASHED, CRASHED, TIMED_OUT, LOST, NOT_COMPILED, "5", "5")
    assert found.expected == b"5"
    assert (found.votes, found.cast, found.abstained) == (2, 2, (0, 1, 2, 3, 4))


def test_no_run_ended_well() -> None:
    found = label(CRASHED, TIMED_OUT)
    assert (found.expected, found.why, found.confidence) == (None, NoLabel.NO_VOTES, 0.0)


def test_empty_output_is_an_output() -> None:
    assert label("", "", "1").expected == b""


def test_a_single_candidate_labels_only_where_one_vote_is_enough() -> None:
    assert label("4").why is NoLabel.MIN_VOTES
    found = label("4", policy=Policy(min_votes=1))
    assert (found.expected, found.confidence) == (b"4", 1.0)


@pytest.mark.parametrize(("tie", "expected"), [("none", None), ("first", b"9"), ("smallest", b"10")])
def test_a_tie_is_reported_and_labels_only_by_a_named_tie_break(tie: TieBreak, expected: bytes | None) -> None:
    found = label("9", "10", "10", "9", "8", policy=Policy(tie=tie, quorum=0.4))
    assert found.tie
    assert found.expected == expected
    assert (found.votes, found.runner_up) == (2, 2)
    assert found.why is (NoLabel.TIE if expected is None else None)


def test_random_ties_are_drawn_from_the_seed() -> None:
    cells = build_matrix(["a"] * 64, ["b"] * 64)
    policy = Policy(tie="random", min_votes=1, seed=3)
    drawn = [found.expected for found in label_inputs(cells, TOKENS, policy)]
    assert drawn == [found.expected for found in label_inputs(cells, TOKENS, policy)]
    assert 16 < drawn.count(b"a") < 48
    assert drawn != [found.expected for found in label_inputs(cells, TOKENS, replace(policy, seed=4))]


def test_a_quorum_is_a_share_of_the_votes_cast() -> None:
    cells: list[Cell] = ["1", "1", "2", "3", "4", CRASHED]
    assert label(*cells, policy=Policy(quorum=0.4)).expected == b"1"
    assert label(*cells, policy=Policy(quorum=0.41)).why is NoLabel.QUORUM


def test_a_margin_is_counted_in_votes() -> None:
    assert label("1", "1", "1", "2", "2", policy=Policy(margin=1)).expected == b"1"
    assert label("1", "1", "1", "2", "2", policy=Policy(margin=2)).why is NoLabel.MARGIN


def test_half_is_half_however_it_is_spelt() -> None:
    found = label("0.5", "0.50", "5e-1", "0.6", "0.6", checker=FLOAT)
    assert (found.expected, found.votes) == (b"0.5", 3)
    by_spelling = label("0.5", "0.50", "5e-1", "0.6", "0.6", policy=Policy(quorum=0.0))
    assert by_spelling.expected == b"0.6"


@pytest.mark.parametrize("order", sorted(set(permutations(["0", "0.9", "1.8"]))))
def test_the_output_with_the_most_support_labels_in_every_order(order: tuple[str, ...]) -> None:
    near = CheckerChoice("float", {"absolute": 1.0, "relative": 0.0})
    found = label(*order, checker=near)  # 0.9 is close to both; 0 and 1.8 are not close to each other
    assert (found.expected, found.supporters, found.runner_up) == (b"0.9", (0, 1, 2), 0)


def test_the_same_program_votes_once_when_the_policy_says_so() -> None:
    cells, same_as = ["5", "5", "5", "4", "4"], [0, 0, 0, 3, 4]
    assert label(*cells, same_as=same_as).expected == b"5"
    found = label(*cells, same_as=same_as, policy=Policy(one_vote_per_program=True))
    assert (found.expected, found.votes, found.cast, found.dissenters) == (b"4", 2, 3, (0, 1, 2))


def test_one_program_with_two_outputs_is_not_deterministic_and_abstains() -> None:
    once = Policy(one_vote_per_program=True)
    found = label("5", "6", "4", "4", same_as=[0, 0, 2, 3], policy=once)
    assert (found.expected, found.cast, found.abstained) == (b"4", 2, (0, 1))
    found = label("5", TIMED_OUT, "5", same_as=[0, 0, 2], policy=once)
    assert (found.votes, found.abstained) == (2, (1,)), "one that only failed has not said anything else"


def test_a_candidate_that_prints_something_else_each_time_is_outvoted() -> None:
    noisy = [f"{number * 7919 % 100}" for number in range(20)]
    found = label_inputs(build_matrix(noisy, ["x"] * 20, ["x"] * 20), TOKENS, Policy())
    assert {one.expected for one in found} == {b"x"}
    assert all(one.dissenters == (0,) for one in found)


def test_x_coder_takes_the_plurality_of_stripped_outputs_and_the_first_of_a_tie() -> None:
    def label_as_x_coder(*cells: Cell) -> Label:
        return label(*cells, checker=X_CODER_CHECKER, policy=X_CODER_POLICY)

    assert label_as_x_coder(" 7\n", "8", "7", "9").expected == b" 7\n"
    assert label_as_x_coder("8", "7", "7", "8").expected == b"8"
    assert label_as_x_coder("1", "2", "3").expected == b"1"
    assert label_as_x_coder(CRASHED, "2").expected == b"2"
    assert label_as_x_coder("0.5", "0.50", "0.50").expected == b"0.50"
    assert label_as_x_coder(CRASHED).expected is None


@given(
    outputs=st.lists(st.lists(st.sampled_from("abc!"), min_size=3, max_size=3), min_size=1, max_size=7),
    tie=st.sampled_from(["none", "first", "smallest", "random"]),
    once=st.booleans(),
    data=st.data(),
)
def test_every_poll_adds_up(outputs: list[list[str]], tie: TieBreak, once: bool, data: st.DataObject) -> None:
    cells = build_matrix(*([CRASHED if cell == "!" else cell for cell in row] for row in outputs))
    same_as = [data.draw(st.integers(0, index)) for index in range(len(cells))]
    same_as = [same_as[first] if same_as[first] == first else index for index, first in enumerate(same_as)]
    policy = Policy(tie=tie, min_votes=1, one_vote_per_program=once)
    found = label_inputs(cells, TOKENS, policy, same_as)
    assert found == label_inputs(cells, TOKENS, policy, same_as)
    for one in found:
        everyone = sorted([*one.supporters, *one.dissenters, *one.abstained])
        assert everyone == list(range(len(cells)))
        assert one.votes + one.runner_up <= one.cast <= len(cells) or one.votes == one.cast
        assert (one.expected is None) == (one.why is not None)
        assert one.tie == (one.votes == one.runner_up and one.votes > 0)


@pytest.mark.parametrize(
    "kind",
    sorted(checkers.CANONICALIZERS),
)
def test_each_output_is_read_once_where_agreement_is_an_equivalence(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    monkeypatch.setattr("sandbox.verify.checkers.check", None)
    form = checkers.canonicalize

    def record_output(kind: str, output: bytes) -> bytes | None:
        if output:
            read.append(output)
        return form(kind, output)

    monkeypatch.setattr(checkers, "canonicalize", record_output)
    outputs = [b"%d" % number for number in range(200)]
    found = label(*outputs, *outputs, b"7 ", checker=CheckerChoice(kind, {}), policy=Policy(quorum=0))
    assert read == [*outputs, b"7 "]
    assert (found.votes, found.cast) == ((2, 401) if kind == "exact" else (3, 401))


def test_outputs_that_are_too_many_to_compare_pair_by_pair_label_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "READ_FREE_BYTES", 1_000)
    outputs = [b"%d " % number + b"0.5 " * 100 for number in range(20)]
    found = label(CRASHED, *outputs, *outputs, checker=FLOAT, policy=Policy(min_votes=1, quorum=0, tie="first"))
    assert (found.expected, found.why, found.votes, found.cast) == (None, NoLabel.TOO_MANY_OUTPUTS, 0, 40)
    assert (found.supporters, found.dissenters, found.abstained) == ((), tuple(range(1, 41)), (0,))
    respelled = [b"0.5 " * 100 + b"0" * number for number in range(1, 21)]
    assert label(*respelled, checker=FLOAT).votes == 20, "all agree with the first: as many comparisons as outputs"


def test_small_outputs_that_all_differ_are_compared_under_every_rule() -> None:
    found = label(
        *(f"{number}" for number in range(256)), checker=FLOAT, policy=Policy(min_votes=1, tie="first", quorum=0)
    )
    assert (found.expected, found.votes, found.cast) == (b"0", 1, 256)


def test_outputs_that_are_equal_are_kept_once() -> None:
    interned = OutputInterner()
    interned.begin_candidate()
    one, other = (
        interned.intern_outcome(build_outcome(b"x" * 1_000)),
        interned.intern_outcome(build_outcome(b"x" * 999 + b"x")),
    )
    assert one.stdout is other.stdout
    assert interned.intern_outcome(Outcome(Status.RUNTIME_ERROR, stdout=b"y", stderr=b"z")).stdout == b""


def test_a_vote_keeps_a_bounded_amount_of_output_and_no_candidate_takes_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voting, "MAX_STORED_BYTES", 400)
    interned = OutputInterner()
    statuses = []
    for candidate in range(6):
        interned.begin_candidate()
        statuses.append(
            [interned.intern_outcome(build_outcome(b"%d%d" % (candidate, run) * 20)).status for run in range(3)]
        )
    kept, over = Status.OK, Status.OUTPUT_LIMIT_EXCEEDED
    assert statuses == [[kept, kept, over]] * 5 + [[over] * 3]
    assert interned.intern_outcome(build_outcome(b"00" * 20)).status is kept, "what is kept already costs nothing"
