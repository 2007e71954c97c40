"""Tests are read from the formats that data sets publish them in."""

from __future__ import annotations

import json
import pickle
import zlib
from base64 import b64encode
from typing import Any

import pytest

from sandbox.errors import BadRequest
from sandbox.rewards.case_formats import read_stdin_tests, read_tests
from sandbox.rewards.column_text import limit_unpacking
from sandbox.schema import AssertTest, CommandTest, FunctionTest, TestCase

EXPECTED = [("1\n", "2"), ("3\n", "4")]


class FakeArray:
    """An array with the interface of NumPy, Arrow and Torch arrays."""

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
        {"inputs": FakeArray(["1\n", "3\n"]), "outputs": FakeArray(["2", "4"]), "fn_name": None},
        {"inputs": [["1", ""], ["3", ""]], "outputs": [["2"], ["4"]]},
        {"language": "python", "test_cases": [{"input": "1\n", "output": "2"}, {"input": "3\n", "output": "4"}]},
        {"tests": json.dumps({"inputs": ["1\n", "3\n"], "outputs": [2, 4]})},
        json.dumps({"inputs": ["1\n", "3\n"], "outputs": ["2", "4"]}),
    ],
    ids=range(10),
)
def test_every_shape_is_read(value: Any) -> None:
    assert [(case.stdin, case.expected) for case in read_stdin_tests(value)] == EXPECTED


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([], "no tests"),
        (None, "NoneType"),
        ("print", "not JSON"),
        ({"a": 1}, "no known field holds tests"),
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
        read_stdin_tests(value)


def pack_value(value: Any, pickled: bool = True) -> str:
    text = json.dumps(value)
    return b64encode(zlib.compress(pickle.dumps(text) if pickled else text.encode())).decode()


CALLS = {"fn_name": "f", "inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]]}


@pytest.mark.parametrize(
    "value",
    [
        CALLS,
        json.dumps(json.dumps(CALLS)),
        repr(CALLS),
        pack_value(CALLS),
        pack_value(CALLS, pickled=False),
        {**CALLS, "outputs": [3, 7]},
        {**CALLS, "inputs": ["1\n2", "3\n4"], "outputs": ["3", "7"]},
        {"tests": {"inputs": CALLS["inputs"], "outputs": [3, 7]}, "entry_point": "f"},
        [
            {"fn_name": "f", "type": "function_call", "input": [1, 2], "output": [3]},
            {"fn_name": "f", "type": "function_call", "input": [3, 4], "output": [7]},
        ],
        [
            {"input": "1\n2", "output": "3", "testtype": "functional", "metadata": {"func_name": "f"}},
            {"input": "3\n4", "output": "7", "testtype": "functional", "metadata": {"func_name": "f"}},
        ],
        {"fn_name": "f", "test_cases": [{"input": [1, 2], "output": 3}, {"input": [3, 4], "output": 7}]},
    ],
    ids=range(11),
)
def test_calls_of_a_function_are_read_in_every_shape(value: Any) -> None:
    read = read_tests(value)
    assert [(test.args, test.expected) for test in read.tests if isinstance(test, FunctionTest)] == [
        ([1, 2], 3),
        ([3, 4], 7),
    ]
    assert read.entry_point == "f"
    assert "from typing import *" in read.preamble


def test_packs_may_unpack_to_so_much_in_all() -> None:
    pack = pack_value({"inputs": ["x" * 1000] * 100, "outputs": [""] * 100})
    with limit_unpacking(250_000):
        assert len(read_tests(pack).tests) == len(read_tests(pack).tests) == 100
        for _ in range(2):
            with pytest.raises(BadRequest, match="truncated, or larger than"):
                read_tests(pack)
    assert len(read_tests(pack).tests) == 100


def test_a_task_may_have_tests_of_several_kinds() -> None:
    value = {"fn_name": "f", "inputs": [[1], [2], "x"], "outputs": [1, 2, "x"], "assert_case": ["", "assert f(0)", ""]}
    assert [type(test) for test in read_tests(value).tests] == [FunctionTest, AssertTest, FunctionTest]
    native = [
        {"stdin": "1", "expected": "1"},
        {"assert": "assert f(1)"},
        {"args": [1], "expected": 1},
        {"command": ["x"]},
    ]
    assert [type(test) for test in read_tests(native).tests] == [TestCase, AssertTest, FunctionTest, CommandTest]


@pytest.mark.parametrize(
    "value",
    [
        ["assert f(1) == 1", "assert f(2) == 2"],
        {"test_list": ["assert f(1) == 1", "assert f(2) == 2"]},
        {"assert_case": ["assert f(1) == 1", "assert f(2) == 2"]},
        {"assert_case": ["assert f(1) == 1", "assert f(2) == 2"], "inputs": [None, None], "outputs": [None, None]},
        [{"assert": "assert f(1) == 1"}, "assert f(2) == 2"],
    ],
    ids=range(5),
)
def test_assertions_are_read_in_every_shape(value: Any) -> None:
    read = read_tests(json.dumps(value))
    sources = [test.assertion for test in read.tests if isinstance(test, AssertTest)]
    assert sources == ["assert f(1) == 1", "assert f(2) == 2"]
    assert not read.preamble


def test_lists_of_one_item_are_values_where_some_output_is_none() -> None:
    assert [getattr(test, "expected", None) for test in read_tests({**CALLS, "outputs": [[3], [7, 8]]}).tests] == [
        [3],
        [7, 8],
    ]


class Hostile:
    def __reduce__(self) -> Any:
        return print, ("unpickled",)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b64encode(zlib.compress(pickle.dumps(Hostile()))).decode(), "must hold a single string"),
        (b64encode(zlib.compress(b"[1")).decode(), "cannot unpack"),
        (pack_value(CALLS)[:-8], "cannot unpack|truncated"),
        ("eJnonsense", "cannot unpack"),
        ("[" * 100_000, "not JSON"),
        ("{'a': print()}", "not JSON"),
        ({"fn_name": "f", "inputs": 5, "outputs": [1]}, "inputs is of type int"),
        ([{"fn_name": "f", "input": 1, "output": 1}, {"fn_name": "g", "input": 1, "output": 1}], "several functions"),
        ({"inputs": ["1"], "outputs": [None]}, "no expected output"),
        ({"assert_case": ["assert 1"], "inputs": ["", ""], "outputs": ["", ""]}, "1 assertions"),
        ([""], "assertion"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(value: Any, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        read_tests(value)


@pytest.mark.parametrize(
    "value",
    [
        {"fn_name": "f" * 300, "inputs": [[1]], "outputs": [[1]]},
        {"fn_name": "f", "inputs": [[{1}]], "outputs": [[1]]},
        {"fn_name": "f", "inputs": [["\ud800"]], "outputs": [[1]]},
        {"inputs": ["\ud800"], "outputs": [""]},
        json.dumps({"fn_name": "f", "inputs": [["\ud800"]], "outputs": [[1]]}),
        {"inputs": [""] * 10_001, "outputs": [""] * 10_001},
        "{1, 2}",
        '{"tests": ' * 900 + "[]" + "}" * 900,
    ],
    ids=range(8),
)
def test_what_could_not_be_sent_is_refused_with_its_row(value: Any) -> None:
    with pytest.raises(BadRequest):
        read_tests(value)
