"""Find the names whose results a test's source uses as objects."""

from __future__ import annotations

import pytest

from sandbox.runner.rpc.object_factories import find_object_factories


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("s = Stack()\ns.push(1)", {"Stack"}),
        ("assert make(3).value == 3", {"make"}),
        ("assert solution.make(3).value == 3", {"make"}),
        ("for s in shapes(3):\n    s.area()", {"shapes"}),
        ("assert [s.area() for s in shapes(3)]", {"shapes"}),
        ("with opened() as f:\n    f.seek(0)", {"opened"}),
        ("if (n := head()):\n    n.val", {"head"}),
        ("p = Point(1)\nassert (p + 2).x == 3 and (-p).y", {"Point"}),
        ("assert rows()[0].name == 'a'", {"rows"}),
        ("assert solve('a').startswith('b')", set()),
        ("assert candidate(1).count(2) == solve(3).real", set()),
        ("import math\nassert math.isclose(solve(1), 2)", set()),
        ("x = 3\nx.foo", set()),
        ("assert (", set()),
    ],
)
def test_a_name_is_a_factory_if_the_source_uses_its_result_as_an_object(source: str, names: set[str]) -> None:
    assert find_object_factories(source) == names
