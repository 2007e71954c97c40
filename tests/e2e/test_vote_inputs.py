"""Votes that generate and validate their inputs, through the real service."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.client import Client
from sandbox.errors import BadRequest
from sandbox.schema.vote import VoteResult
from sandbox.schema.vote_inputs import InputStatus

CANDIDATES = [
    {"language": "python", "code": code}
    for code in (
        "n = int(input())\nprint(sum(map(int, input().split())))",
        "input()\nprint(sum(int(one) for one in input().split()))",
        "input()\nprint(max(map(int, input().split())))",
    )
]
NUMBERS = "import random, sys\nsize, seed = map(int, sys.argv[-2:])\nrandom.seed(seed)\n"
NUMBERS += "print(size)\nprint(*(random.randint(1, 9) for _ in range(size)))"
ONE_TO_A_HUNDRED = "n = int(input())\nassert 1 <= n <= 100, 'n is not from 1 to 100'\nassert len(input().split()) == n"
ACCEPTS_ALL = "pass"
REJECTS_ALL = "raise SystemExit(1)"


def write(code: str) -> dict[str, str]:
    return {"language": "python", "code": code}


def run_vote(client: Client, **fields: Any) -> VoteResult:
    return client.vote({"candidates": CANDIDATES, **fields})


def test_a_sweep_of_sizes_is_generated_validated_and_labelled(client: Client) -> None:
    generator = {**write(NUMBERS), "seeds": [1, 2], "sizes": {"smallest": 1, "largest": 1_000, "count": 4}}
    result = run_vote(
        client,
        inputs=["2\n3 4\n", "0\n\n"],
        generators=[generator, {**write("print(2)\nprint(3, 4)")}],
        validators=[write(REJECTS_ALL), write(ONE_TO_A_HUNDRED), write(ACCEPTS_ALL)],
        probes=[
            {"input": "1\n5\n", "valid": True},
            {"input": "0\n\n", "valid": False},
            {"input": "2\n5\n", "valid": False},
        ],
        return_inputs=True,
    )
    assert result.validation is not None
    assert result.validation.filters == [1]
    assert [each.accuracy for each in result.validation.validators] == [0.5, 1.0, 0.5]
    used, rejected, duplicate = InputStatus.USED, InputStatus.REJECTED, InputStatus.DUPLICATE
    assert [each.status for each in result.inputs] == [used, rejected] + [used] * 6 + [rejected] * 2 + [duplicate]
    assert result.inputs[10].duplicate_of == 0
    assert "n is not from 1 to 100" in result.inputs[1].reason
    assert [(each.size, each.seed) for each in result.inputs[2:10]] == [
        (size, seed) for size in (1, 10, 100, 1_000) for seed in (1, 2)
    ]
    assert result.inputs[2].args == ["1", "1"]
    positions = [label.input for label in result.labels]
    assert positions == [0, 2, 3, 4, 5, 6, 7]
    assert [len(row) for row in result.matrix] == [7] * 3
    for label, test in zip(result.labels, result.test_set.tests, strict=True):
        stdin = result.inputs[label.input].stdin
        assert stdin is not None
        assert test.stdin == stdin
        assert label.expected == f"{sum(map(int, stdin.split()[1:]))}\n"
    assert (result.validation.rejected, result.validation.unjudged, result.internal_errors) == (3, 0, 0)
    assert result.inputs[8].stdin is None, "only the inputs of the vote are returned"


def test_without_probes_validators_vote_and_a_broken_one_has_no_vote(client: Client) -> None:
    broken = {"language": "cpp", "code": "int main( {"}
    result = run_vote(
        client, inputs=["1\n5\n", "0\n\n"], validators=[write(ONE_TO_A_HUNDRED), broken, write(ONE_TO_A_HUNDRED)]
    )
    assert result.validation is not None
    assert result.validation.filters == [0, 2]
    assert "error" in result.validation.validators[1].compile_message
    assert [each.status for each in result.inputs] == [InputStatus.USED, InputStatus.REJECTED]
    assert [label.expected for label in result.labels] == ["5\n"]


def test_a_generator_that_fails_prints_no_input_and_says_why(client: Client) -> None:
    generator = {**write("import sys\nif sys.argv[1] == 'b': raise ValueError('no b')\nprint(1)\nprint(4)")}
    result = run_vote(client, generators=[{**generator, "args": [["a"], ["b"]]}])
    assert [each.status for each in result.inputs] == [InputStatus.USED, InputStatus.GENERATOR_FAILED]
    assert result.inputs[1].reason == "generators.0: exit code 1: ValueError: no b"
    assert [label.expected for label in result.labels] == ["4\n"]


def test_no_input_is_left(client: Client) -> None:
    result = run_vote(client, inputs=["0\n\n"], validators=[write(REJECTS_ALL)])
    assert (result.labels, result.matrix, result.golden.index) == ([], [[], [], []], None)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "give inputs, generators, or both"),
        ({"inputs": ["1"], "probes": [{"input": "1", "valid": True}]}, "give validators"),
        ({"generators": [{**write(NUMBERS), "seeds": list(range(1_000)), "sizes": [1, 2]}]}, "more than 1000"),
        ({"inputs": ["1"], "validators": [{"language": "klingon", "code": ""}]}, "unknown language"),
    ],
)
def test_requests_that_make_no_sense_are_refused(client: Client, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        run_vote(client, **fields)
