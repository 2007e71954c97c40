"""Tests out of the shapes that data sets have them in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.errors import BadRequest
from sandbox.rewards.cases import cases_of
from sandbox.schema import TestCase

EXPECTED = [("1\n", "2"), ("3\n", "4")]


class Array:
    """An array as NumPy, Arrow and Torch have them."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    def tolist(self) -> list[Any]:
        return self.values


@pytest.mark.parametrize(
    "value",
    [
        [{"stdin": "1\n", "expected": "2"}, {"stdin": "3\n", "expected": "4"}],
        [TestCase(stdin="1\n", expected="2"), TestCase(stdin="3\n", expected="4")],
        [{"input": "1\n", "output": "2"}, {"input": "3\n", "output": "4", "fn_name": None, "type": "stdin_stdout"}],
        [{"input": "1\n", "expectedOutput": "2"}, {"input": "3\n", "expectedOutput": "4"}],
        {"inputs": ["1\n", "3\n"], "outputs": ["2", "4"]},
        {"inputs": Array(["1\n", "3\n"]), "outputs": Array(["2", "4"]), "fn_name": None},
        {"inputs": [["1", ""], ["3", ""]], "outputs": [["2"], ["4"]]},
        {"language": "python", "test_cases": [{"input": "1\n", "output": "2"}, {"input": "3\n", "output": "4"}]},
        {"tests": json.dumps({"inputs": ["1\n", "3\n"], "outputs": [2, 4]})},
        json.dumps({"inputs": ["1\n", "3\n"], "outputs": ["2", "4"]}),
    ],
    ids=range(10),
)
def test_every_shape_is_read(value: Any) -> None:
    assert [(case.stdin, case.expected) for case in cases_of(value)] == EXPECTED


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([], "no tests"),
        (None, "NoneType"),
        ("print", "not JSON"),
        ({"a": 1}, "no tests under any name"),
        ([{"input": "1"}], "output"),
        ([1], "type int"),
        ({"inputs": ["1"], "outputs": []}, "1 inputs and 0 outputs"),
        ({"inputs": [], "outputs": []}, "no tests"),
        ({"inputs": ["1"], "outputs": ["1"], "fn_name": "solve"}, "call a function"),
        ([{"input": "1", "output": "1", "fn_name": "solve"}], "call a function"),
        ([{"stdin": "1", "expected": "1", "misspelt": 1}], "misspelt"),
    ],
)
def test_what_is_no_test_is_refused_with_the_reason(value: Any, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        cases_of(value)
