"""Votes under agreement that is not an equivalence: tolerances and checker programs. Order must not matter."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from hypothesis import given
from hypothesis import strategies as st

from sandbox.runner.contract import Outcome, Verdict
from sandbox.verify.agreement import CheckerLost, TooManyComparisons
from sandbox.verify.judge import CheckerChoice
from sandbox.verify.result import TestResult
from sandbox.verify.voting import Label, NoLabel, Policy, label_inputs
from tests.verify.outcome_matrices import CRASHED, Cell, build_column

NEAR = CheckerChoice("float", {"absolute": 1.0, "relative": 0.0})
RELATIVE = CheckerChoice("float", {"absolute": 0.0, "relative": 0.3})
DEFAULT = Policy()
ACCEPTED, WRONG, FAILED = Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.INTERNAL_ERROR


class Program:
    """An agreement like that of a checker program, from a rule on the output and the answer."""

    is_directed = True

    def __init__(self, rule: Callable[[bytes, bytes], Verdict], most: int = 1_000) -> None:
        self._rule = rule
        self._most = most
        self.runs = 0

    def canonicalize(self, output: bytes) -> bytes | None:
        return None

    def judge(self, position: int, outcome: Outcome, expected: bytes) -> TestResult:
        self.runs += 1
        return TestResult(verdict=self._rule(outcome.stdout, expected))

    def allow(self, outputs: Collection[bytes]) -> int:
        return self._most

    def count_cost(self, output: bytes, expected: bytes) -> int:
        return 1


def vote(
    cells: Sequence[Cell], checker: CheckerChoice | Program, policy: Policy = DEFAULT, **fields: list[int]
) -> Label:
    return label_inputs(build_column(*cells), checker, policy, **fields)[0]


def is_valid(output: bytes, expected: bytes) -> Verdict:
    """A constructive task: any two numbers with the sum 10 are right, and the answer is not read."""
    numbers = output.split()
    return ACCEPTED if len(numbers) == 2 and sum(map(int, numbers)) == 10 else WRONG


def is_largest(output: bytes, expected: bytes) -> Verdict:
    """An optimization task: the checker fails if the output is better than the answer, as testlib's checkers do."""
    if not output.isdigit() or int(output) > 9:
        return WRONG
    return ACCEPTED if output == expected else FAILED if int(output) > int(expected) else WRONG


def test_different_right_outputs_support_each_other_and_wrong_ones_support_nothing() -> None:
    found = vote(["1 9", "3 4", "2 8", "3 4", "5 5", "3 4"], Program(is_valid))
    assert (found.expected, found.votes, found.cast, found.runner_up) == (b"1 9", 3, 6, 0)
    assert (found.supporters, found.dissenters) == ((0, 2, 4), (1, 3, 5))


def test_outputs_that_the_checker_rejects_for_themselves_label_nothing() -> None:
    found = vote(["3 4", "3 4", CRASHED, "1"], Program(is_valid))
    assert (found.expected, found.why, found.cast) == (None, NoLabel.NO_VOTES, 3)
    assert (found.dissenters, found.abstained) == ((0, 1, 3), (2,))


def test_a_label_that_a_better_output_beats_is_withheld() -> None:
    assert vote(["7", "7", "7", "5"], Program(is_largest)).expected == b"7"
    found = vote(["7", "7", "7", "9"], Program(is_largest))
    assert (found.expected, found.why, found.votes) == (None, NoLabel.BETTER_OUTPUT, 3)
    accepts_better = Program(lambda output, expected: ACCEPTED if output >= expected else WRONG)
    assert vote(["7", "7", "9"], accepts_better).why is NoLabel.BETTER_OUTPUT
    assert vote(["7", "7", "99"], Program(is_largest)).expected == b"7", "an illegal output beats nothing"


def test_the_checker_runs_rarely_where_all_agree() -> None:
    program = Program(is_valid)
    assert vote([f"{number} {10 - number}" for number in range(10)], program).votes == 10
    assert program.runs == 19, "once for the winner, and twice for each other output"


def test_too_many_runs_of_the_checker_and_a_lost_checker_label_nothing() -> None:
    assert vote(["1 9", "2 8"], Program(is_valid, most=2)).why is NoLabel.TOO_MANY_OUTPUTS

    def lose(output: bytes, expected: bytes) -> Verdict:
        raise CheckerLost("no box starts")

    assert vote(["1 9", "2 8"], Program(lose)).why is NoLabel.SERVICE_FAILED

    def refuse(output: bytes, expected: bytes) -> Verdict:
        raise TooManyComparisons

    found = vote([CRASHED, "2 8"], Program(refuse))
    assert (found.why, found.abstained, found.dissenters) == (NoLabel.TOO_MANY_OUTPUTS, (0,), (1,))


def test_a_program_with_two_outputs_that_agree_votes_for_what_agrees_with_both() -> None:
    once = Policy(one_vote_per_program=True)
    found = vote(["0", "0.9", "0.5", "9"], NEAR, once, same_as=[0, 0, 2, 3])
    assert (found.expected, found.votes, found.cast, found.supporters) == (b"0", 2, 3, (0, 1, 2))
    found = vote(["0", "1.8", "0.9", "0.9"], NEAR, once, same_as=[0, 0, 2, 3])
    assert (found.expected, found.votes, found.cast, found.abstained) == (b"0.9", 2, 2, (0, 1))


def test_two_outputs_with_equal_support_that_do_not_agree_are_a_tie() -> None:
    found = vote(["0", "0", "5", "5"], NEAR)
    assert (found.tie, found.why, found.votes, found.runner_up) == (True, NoLabel.TIE, 2, 2)
    assert vote(["5", "0", "0", "5"], NEAR, Policy(tie="smallest")).expected == b"0"
    chain = vote(["0", "0", "0.9", "1.8"], NEAR)
    assert (chain.expected, chain.votes, chain.tie) == (b"0.9", 4, False)


NUMBERS = st.lists(
    st.sampled_from(["0", "0.4", "0.9", "1.3", "1.8", "2.6", "2.60", "7", "9", "x"]), min_size=1, max_size=9
)
CHECKERS = st.sampled_from(["near", "relative", "json", "valid", "largest"])


def build_checker(name: str) -> CheckerChoice | Program:
    programs = {"valid": is_valid, "largest": is_largest}
    if name in programs:
        return Program(programs[name])
    json = CheckerChoice("json", {"absolute": 0.5, "relative": 0.0})
    return {"near": NEAR, "relative": RELATIVE, "json": json}[name]


@given(outputs=NUMBERS, name=CHECKERS, tie=st.sampled_from(["none", "smallest"]), data=st.data())
def test_the_order_of_candidates_decides_nothing(outputs: list[str], name: str, tie: str, data: st.DataObject) -> None:
    if name == "valid":
        outputs = [f"{output} 9" if output != "x" else "1 9" for output in outputs if output in "0 7 9 x"] or ["5 5"]
    order = data.draw(st.permutations(range(len(outputs))))
    policy = Policy(tie="smallest" if tie == "smallest" else "none", min_votes=1)
    one = vote(outputs, build_checker(name), policy)
    other = vote([outputs[index] for index in order], build_checker(name), policy)
    assert (one.expected, one.votes, one.cast, one.runner_up, one.tie, one.why) == (
        other.expected,
        other.votes,
        other.cast,
        other.runner_up,
        other.tie,
        other.why,
    )
    if one.expected is not None:
        assert sorted(one.supporters) == sorted(order[index] for index in other.supporters)


@given(outputs=NUMBERS, name=CHECKERS)
def test_no_output_has_more_support_than_the_winner(outputs: list[str], name: str) -> None:
    """Pruning the comparisons changes nothing: a count of all pairs finds the same support."""
    checker = build_checker(name)
    found = vote(outputs, checker, Policy(tie="smallest", min_votes=0, quorum=0, margin=0))

    def agree(one: str, other: str) -> bool:
        pair = [vote([one, other], checker, Policy(min_votes=1)).votes, vote([one], checker, Policy(min_votes=1)).votes]
        return pair == [2, 1]

    counted = {one: sum(agree(one, other) for other in outputs) for one in set(outputs)}
    assert found.votes == max(counted.values())
