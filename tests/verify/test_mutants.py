"""Mutants: each operator makes the changes that it is named for, and the same seed makes the same mutants."""

from __future__ import annotations

import ast
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.verify.mutants.generate import MAX_MUTATED_CHARS, OPERATORS, make_mutants

PROGRAM = """\
import sys

def count(values, limit):
    total = 0
    for position in range(1, len(values)):
        if values[position] < limit and not values[position] == 7:
            total += values[position] - 1
            continue
        limit = divmod(limit, 3)[0]
    return total

while True:
    print(count(list(map(int, sys.stdin.read().split())), 10))
    break
"""


def make(code: str, operator: str) -> set[str]:
    return {mutant.code.strip() for mutant in make_mutants(code, 1000, operators=[operator])}


@pytest.mark.parametrize(
    ("operator", "code", "expected"),
    [
        ("arithmetic", "a // b", {"a / b", "a * b"}),
        ("arithmetic", "a += 1", {"a -= 1"}),
        ("comparison", "a < b == c", {"a > b == c", "a < b != c"}),
        ("boundary", "a < b >= c", {"a <= b >= c", "a < b > c"}),
        ("boundary", "a == b", set()),
        ("constant", "x = 5", {"x = 6", "x = 4"}),
        ("constant", "x = True", set()),
        ("boolean", "a and b", {"a or b", "a", "b"}),
        ("boolean", "not a", {"a"}),
        ("boolean", "x = True", {"x = False"}),
        ("negated_condition", "a if b else c", {"a if not b else c"}),
        ("negated_condition", "[a for a in b if a]", {"[a for a in b if not a]"}),
        ("range", "range(n)", {"range(n + 1)", "range(n - 1)", "range(1, n)"}),
        (
            "range",
            "range(a, b, 2)",
            {"range(a + 1, b, 2)", "range(a - 1, b, 2)", "range(a, b + 1, 2)", "range(a, b - 1, 2)"},
        ),
        ("range", "range(*a, b)", set()),
        ("range", "a[i:]", {"a[i + 1:]", "a[i - 1:]"}),
        ("removed_statement", "f(x)", {"pass"}),
        ("removed_statement", '"""A docstring."""\nimport a', set()),
        ("swapped_arguments", "f(a, b, c)", {"f(b, a, c)", "f(a, c, b)"}),
        ("swapped_arguments", "max(a, b)", set()),
        ("swapped_arguments", "a - b", {"b - a"}),
        (
            "early_exit",
            "for a in b:\n    f()\n    g()",
            {"for a in b:\n    f()\n    g()\n    break", "for a in b:\n    f()\n    continue"},
        ),
        ("early_exit", "def f():\n    g()\n    return 1", {"def f():\n    return 1\n    return 1"}),
        (
            "early_exit",
            "for a in b:\n    break",
            {"for a in b:\n    break\n    break", "for a in b:\n    continue", "for a in b:\n    pass"},
        ),
        ("initial_value", "x = -10 ** 9", {"x = 0"}),
        ("initial_value", "x = 0", {"x = 1"}),
        ("initial_value", "x = float('inf')", {"x = 0"}),
        ("initial_value", "x = y", set()),
    ],
)
def test_an_operator_makes_its_changes(operator: str, code: str, expected: set[str]) -> None:
    assert make(code, operator) == expected


def test_every_operator_finds_a_place_in_an_ordinary_program() -> None:
    assert {mutant.operator for mutant in make_mutants(PROGRAM, 1000)} == set(OPERATORS)


def test_operators_take_turns() -> None:
    few = make_mutants(PROGRAM, len(OPERATORS))
    assert len({mutant.operator for mutant in few}) >= len(OPERATORS) - 1


@given(st.integers(0, 2**62), st.integers(1, 60))
def test_mutants_are_deterministic_distinct_and_valid(seed: int, count: int) -> None:
    mutants = make_mutants(PROGRAM, count, seed)
    assert mutants == make_mutants(PROGRAM, count, seed)
    sources = [mutant.code for mutant in mutants]
    assert len(set(sources)) == len(sources) <= count
    for mutant in mutants:
        ast.parse(mutant.code)
        assert mutant.code.strip() != ast.unparse(ast.parse(PROGRAM))
        assert 1 <= mutant.line <= PROGRAM.count("\n")


def test_another_seed_chooses_other_mutants() -> None:
    assert make_mutants(PROGRAM, 20, 1) != make_mutants(PROGRAM, 20, 2)


def test_a_mutant_names_its_line_and_its_change() -> None:
    [mutant] = make_mutants("x = 1\nif x < 2:\n    print(x)\n", 1, operators=["boundary"])
    assert (mutant.line, mutant.before, mutant.after) == (2, "x < 2", "x <= 2")


def test_an_f_strings_expressions_are_mutated_but_neither_its_text_nor_its_formats() -> None:
    code = "f'1 {x + 1:>{x - 2}3} {(3 if x else 4)!r} {y}'"
    kept = {mutant.code.strip() for mutant in make_mutants(code, 1000, operators=["arithmetic", "constant", "boolean"])}
    assert kept == {
        code.replace("x + 1", "x - 1"),
        code.replace("x + 1", "x + 2"),
        code.replace("x + 1", "x + 0"),
        code.replace("3 if", "4 if"),
        code.replace("3 if", "2 if"),
        code.replace("else 4", "else 5"),
        code.replace("else 4", "else 3"),
    }


@pytest.mark.parametrize(
    "code",
    [
        f"f({'a, ' * 20_000})",
        f"a{' < a' * 15_000}",
        f"a{' and a' * 10_000}",
        f"[a for a in b{' if a' * 10_000}]",
        f"f({'a, ' * 60})\n" * 300,
        "f(1, 2)\n" * 8_000,
    ],
    ids=["arguments", "comparisons", "operands", "conditions", "repeated changes", "many changes"],
)
def test_a_large_program_takes_little_cpu_time(code: str) -> None:
    begun_s = time.thread_time()
    assert len(make_mutants(code, 512)) <= 512
    assert time.thread_time() - begun_s < 20


def test_changes_that_repeat_a_program_end_the_search() -> None:
    assert make_mutants("f(a, a)\n" * 1_000, 1, operators=["swapped_arguments"]) == []


def test_a_program_that_cannot_be_written_has_no_mutants() -> None:
    with pytest.raises(ValueError, match="so it has no mutants"):
        make_mutants("x = 0x" + "f" * 10_000, 10)


@pytest.mark.parametrize(
    "code",
    ["print(", "x" * (MAX_MUTATED_CHARS + 1), "-" * 60_000 + "1", "1+" * 30_000 + "1", "a." * 30_000 + "b", "\0"],
)
def test_a_program_that_cannot_be_mutated_is_refused(code: str) -> None:
    caught: list[str] = []

    def run() -> None:  # as the service runs it: a thread has a smaller stack
        with pytest.raises(ValueError, match="mutants") as error:
            make_mutants(code, 10)
        caught.append(str(error.value))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert caught
