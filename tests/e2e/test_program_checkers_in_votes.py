"""Votes and hacks with a checker program, through the real service."""

from __future__ import annotations

from typing import Any

from sandbox.client import Client
from sandbox.schema.vote import VoteResult
from sandbox.verify.voting import NoLabel

# Any two positive numbers whose sum is the input are right.
SUM_CHECKER = """
import sys
total = int(open(sys.argv[1]).read())
numbers = [int(token) for token in open(sys.argv[2]).read().split()]
if len(numbers) != 2 or min(numbers) < 1 or sum(numbers) != total:
    print("not two numbers with this sum", file=sys.stderr)
    sys.exit(1)
"""
ONE_FIRST = "n = int(input())\nprint(1, n - 1)"
HALVES = "n = int(input())\nprint(n // 2, n - n // 2)"
LAST_ONE = "n = int(input())\nprint(n - 1, 1)"
TOO_LARGE = "n = int(input())\nprint(n, 1)"
INPUTS = ["10\n", "21\n", "34\n"]


def check_with(code: str, language: str = "python") -> dict[str, str]:
    return {"type": "program", "language": language, "code": code}


def run_vote(client: Client, *codes: str, checker: dict[str, str], **fields: Any) -> VoteResult:
    candidates = [{"language": "python", "code": code} for code in codes]
    body = {"candidates": candidates, "inputs": INPUTS, "checker": checker, "checker_allows": ["permuted"]}
    return client.vote({**body, "policy": {"golden_tie": "first"}, **fields})


def test_different_right_outputs_outvote_equal_wrong_ones(client: Client) -> None:
    result = run_vote(
        client, TOO_LARGE, ONE_FIRST, TOO_LARGE, HALVES, LAST_ONE, TOO_LARGE, checker=check_with(SUM_CHECKER)
    )
    assert result.calibration is not None
    assert result.calibration.trusted is True
    assert [label.expected for label in result.labels] == ["1 9\n", "1 20\n", "1 33\n"]
    assert [(label.votes, label.dissenters) for label in result.labels] == [(3, [0, 2, 5])] * 3
    assert [row[0] for row in result.matrix] == [
        "wrong_answer",
        "accepted",
        "wrong_answer",
        "accepted",
        "accepted",
        "wrong_answer",
    ]
    assert (result.golden.index, result.golden.accepted) == (1, True)
    assert result.test_set.checker.type == "program"
    tests = [test.model_dump(exclude_defaults=True) for test in result.test_set.tests]
    judged = client.verify({"language": "python", "code": HALVES, "tests": tests, "checker": check_with(SUM_CHECKER)})
    assert judged.verdict == "accepted"


def test_a_checker_that_accepts_everything_labels_nothing_and_the_answer_says_why(client: Client) -> None:
    result = run_vote(client, ONE_FIRST, HALVES, checker=check_with("pass"))
    assert result.calibration is not None
    assert result.calibration.trusted is False
    assert "it accepts 3 of 3 truncated outputs" in result.calibration.why
    assert {label.why for label in result.labels} == {NoLabel.CHECKER_UNTRUSTED}
    assert not result.test_set.tests
    assert result.internal_errors == 0


def test_a_checker_that_rejects_the_output_of_a_reference_is_not_trusted(client: Client) -> None:
    candidates = [
        {"language": "python", "code": HALVES},
        {"language": "python", "code": ONE_FIRST, "role": "reference"},
    ]
    strict = check_with(SUM_CHECKER.replace("min(numbers) < 1", "min(numbers) < 2"))
    result = run_vote(client, checker=strict, candidates=candidates)
    assert result.calibration is not None
    assert result.calibration.why == "it accepts 0 of 3 outputs of references: not two numbers with this sum"
    assert run_vote(client, checker=check_with(SUM_CHECKER), candidates=candidates).labels[0].by_reference


def test_a_checker_that_does_not_compile_is_not_trusted(client: Client) -> None:
    result = run_vote(client, ONE_FIRST, HALVES, checker=check_with("int main( {", "cpp"))
    assert result.calibration is not None
    assert result.calibration.trusted is False
    assert result.calibration.why.startswith("it does not compile: ")
    assert [label.expected for label in result.labels] == [None] * 3


def test_a_hack_uses_a_checker_program(client: Client) -> None:
    def hack(code: str, checker: str = SUM_CHECKER) -> tuple[bool | None, bool | None, str, str]:
        write = [{"language": "python", "code": one} for one in (code, ONE_FIRST, HALVES)]
        body = {"target": write[0], "references": write[1:], "input": "9\n", "checker": check_with(checker)}
        result = client.hack(body)
        return result.valid, result.breaks, result.reason, result.message

    assert hack(LAST_ONE) == (True, False, "target_passes", "")
    assert hack(TOO_LARGE) == (True, True, "wrong_output", "not two numbers with this sum")
    assert hack(TOO_LARGE, "import sys\nsys.exit(1)")[:3] == (False, False, "reference_failed")
