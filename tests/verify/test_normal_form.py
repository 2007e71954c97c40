"""Sources that are the same program, and sources that are not."""

from __future__ import annotations

import time

import pytest

from sandbox.verify.normal_form import find_first_equivalents


@pytest.mark.parametrize(
    ("language", "one", "other", "same"),
    [
        ("python", "print(1)  # one\n", "# two\nprint( 1 )\n\n\n", True),
        ("python", "if x:\n    y\n", "if x:\n\ty", True),
        ("python", "if x:\n    y\n    z\n", "if x:\n    y\nz\n", False),
        ("python", "print('a b')", "print('a  b')", False),
        ("python", "print('# a')", "print('# b')", False),
        ("python", "x = (1 +\n  2)", "x = (1 + 2)", True),
        ("python", "ab", "a b", False),
        ("python", "print((", "print( (", False),
        ("python", "print((  # open", "print((    # open", True),
        ("cpp", "int main() {}\n", "int  main()\n{}", True),
        ("cpp", "int main() {}", "int main() { }", False),
    ],
)
def test_sameness(language: str, one: str, other: str, same: bool) -> None:
    assert find_first_equivalents([(language, one), (language, other)]) == [0, 0 if same else 1]


def test_the_first_of_each_program_is_named() -> None:
    codes = ["a", "b", "a #", "c", "b\n"]
    assert find_first_equivalents([("python", code) for code in codes]) == [0, 1, 0, 3, 1]


def test_the_same_text_in_two_languages_is_two_programs() -> None:
    assert find_first_equivalents([("c", "main;"), ("cpp", "main;")]) == [0, 1]


@pytest.mark.parametrize(
    "code", ["(" * 500_000, "-" * 1_000_000, "\0", "\ud800", "if x:\n  y\n z", "'''", "0" * 900_000]
)
def test_hostile_sources_are_text(code: str) -> None:
    before = time.process_time()
    assert find_first_equivalents([("python", code), ("python", code)]) == [0, 0]
    assert time.process_time() - before < 20
