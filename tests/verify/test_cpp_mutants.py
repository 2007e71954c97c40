"""Mutants of C and C++: each operator makes the changes that it is named for, and the same seed makes the same ones."""

from __future__ import annotations

import time

import pytest

from sandbox.verify.mutants.cpp import OPERATORS, make_cpp_mutants
from sandbox.verify.mutants.generate import MAX_MUTATED_CHARS

PROGRAM = """\
#include <bits/stdc++.h>
#define FOR(i, n) for (int i = 0; i < (n); ++i)

int main() {
    long long n, total = 0;
    std::cin >> n;
    std::vector<int> a(n);
    for (int i = 0; i < n; i++) {
        std::cin >> a[i];
        if (a[i] % 2 == 0 && a[i] > 10) continue;
        total += std::max(a[i], 3) * pow(a[i], n);
    }
    std::cout << total << "\\n";
}
"""


def make(code: str, operator: str) -> set[str]:
    start, end = "int main() { ", " }"
    return {
        mutant.code.removeprefix(start).removesuffix(end)
        for mutant in make_cpp_mutants(f"{start}{code}{end}", 1000, operators=[operator])
    }


@pytest.mark.parametrize(
    ("operator", "code", "expected"),
    [
        ("arithmetic", "x = a + b;", {"x = a - b;"}),
        ("arithmetic", "x += 2;", {"x -= 2;"}),
        ("arithmetic", "x = a << b;", set()),
        ("boolean", "x = a && b;", {"x = a || b;"}),
        ("boundary", "x = a < b;", {"x = a <= b;"}),
        ("comparison", "x = a == b;", {"x = a != b;"}),
        ("constant", "x = 7;", {"x = 8;", "x = 6;"}),
        ("constant", "x = 0;", {"x = 1;", "x = (-1);"}),
        ("constant", "x = 0x7f + 1.5 + 1e9 + 017;", set()),
        ("early_exit", "for (;;) { f(); }", {"for (;;) { f(); break; }"}),
        ("function", "x = std::min(a, b);", {"x = std::max(a, b);"}),
        ("function", "int min = 3;", set()),
        ("initial_value", "int x = 0, y = 5;", {"int x = 1, y = 5;"}),
        ("integer_type", "long long x; int64_t y;", {"int x; int64_t y;", "long long x; int y;"}),
        ("integer_type", "std::vector<long long> v;", {"std::vector<int> v;"}),
        ("negated_condition", "if (a) f();", {"if (!(a)) f();"}),
        (
            "range",
            "for (int i = 2; i < n; i++) {}",
            {
                "for (int i = (2) + 1; i < n; i++) {}",
                "for (int i = 2; i < (n) - 1; i++) {}",
            },
        ),
        ("removed_statement", "f(); continue;", {"; continue;", "f(); ;"}),
        ("step", "i++;", {"i--;"}),
        ("swapped_arguments", "x = pow(a, b) + max(a, b);", {"x = pow(b, a) + max(a, b);"}),
    ],
)
def test_an_operator_makes_its_changes(operator: str, code: str, expected: set[str]) -> None:
    assert make(code, operator) == expected


def test_every_operator_finds_a_place_in_an_ordinary_program_and_macros_stay() -> None:
    mutants = make_cpp_mutants(PROGRAM, 1000)
    assert {mutant.operator for mutant in mutants} == set(OPERATORS)
    assert all(mutant.code.splitlines()[:2] == PROGRAM.splitlines()[:2] for mutant in mutants)
    assert len({mutant.code for mutant in mutants} | {PROGRAM}) == len(mutants) + 1


def test_operators_take_turns_and_the_seed_decides() -> None:
    first = make_cpp_mutants(PROGRAM, len(OPERATORS))
    assert [mutant.operator for mutant in first] == list(OPERATORS)
    assert make_cpp_mutants(PROGRAM, 20, seed=3) == make_cpp_mutants(PROGRAM, 20, seed=3)
    assert make_cpp_mutants(PROGRAM, 20, seed=3) != make_cpp_mutants(PROGRAM, 20, seed=4)


def test_a_mutant_names_its_line_and_its_change() -> None:
    (mutant,) = make_cpp_mutants("int f(int a) {\n    return a  <  3;\n}\n", 5, operators=["boundary"])
    assert (mutant.line, mutant.before, mutant.after) == (2, "return a < 3;", "return a <= 3;")


@pytest.mark.parametrize(
    "code",
    [
        "x = " + "(" * 20_000,
        "f(" * 13_000 + ",1)" * 13_000 + ";",
        "min(" * 9_000 + ",1)" * 9_000 + ";",
        "{" * 30_000,
        "if (a) " * 8_000,
        "1" + "+1" * 30_000 + ";",
        "\u00e4" * 30_000,
        "#if\n" * 10_000,
    ],
    ids=["parentheses", "nested calls", "nested minima", "braces", "nested ifs", "a long sum", "letters", "directives"],
)
def test_a_hostile_program_takes_little_time(code: str) -> None:
    began = time.process_time()
    assert len(make_cpp_mutants(code, 50)) <= 50
    assert time.process_time() - began < 5


def test_a_program_that_is_too_long_is_refused_and_a_broken_one_keeps_its_errors() -> None:
    with pytest.raises(ValueError, match="too many to make mutants"):
        make_cpp_mutants("x" * (MAX_MUTATED_CHARS + 1), 5)
    assert make_cpp_mutants("this is ) not C++ at all", 5) == []
