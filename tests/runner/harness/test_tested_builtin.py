"""Find the builtin name in a test's source that refers to the program's function."""

from __future__ import annotations

import pytest

from sandbox.runner.harness.tested_builtin import find_tested_builtin


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("assert sum(10, 15) == 6", "sum"),
        ("assert set(sorted([1, 2])) == {1, 2}", "sorted"),
        ("for n in range(3):\n    pass\nassert round(2) == 3", ""),
        ("assert len(sum([1])) == abs(sum([2]))", "sum"),
        ("assert all([solve(1) == 2])", ""),
        ("import solution\nassert sum(1, 2) == 3", ""),
        ("def check(f):\n    assert f(1)\ncheck(sum)", ""),
        ("assert sum([1]) == len([2])", ""),
        ("try:\n    pow(1, 'x')\nexcept TypeError:\n    pass", "pow"),
        ("raise ValueError('x')", ""),
        ("assert (", ""),
        ("", ""),
    ],
)
def test_only_the_innermost_call_in_a_source_of_builtins_refers_to_the_program(source: str, name: str) -> None:
    assert find_tested_builtin(source) == name
