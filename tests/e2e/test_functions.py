"""Function tests: arguments go in, the value comes back through a separate channel and is compared outside the box."""

from __future__ import annotations

import json
import math
from typing import Any

import httpx
import pytest

from sandbox.client import Client
from tests.e2e.verdicts import ACCEPTED, CRASHED, WRONG, judge_tests, read_verdicts

SOLUTION = """
class Solution:
    made = 0

    def __init__(self):
        Solution.made += 1

    def twoSum(self, numbers, target):
        assert Solution.made == 1
        seen = {}
        for index, number in enumerate(numbers):
            if target - number in seen:
                return seen[target - number], index
            seen[number] = index
"""


def test_a_function_and_a_method_of_a_class_are_called_by_name(client: Client) -> None:
    add = "def solve(a, b=1, *, c=0):\n    return a + b + c"
    tests = [
        {"args": [1, 2], "expected": 3},
        {"args": [1], "kwargs": {"b": 5, "c": 2}, "expected": 8},
        {"args": [1], "expected": 3},
    ]
    assert read_verdicts(client, add, tests, entry_point="solve") == [ACCEPTED, ACCEPTED, WRONG]
    tests = [{"args": [[2, 7, 11], 9], "expected": [0, 1]}, {"args": [[3, 3], 6], "expected": [1, 0]}]
    assert read_verdicts(client, SOLUTION, tests, entry_point="Solution.twoSum") == [ACCEPTED, WRONG]


@pytest.mark.parametrize(
    ("value", "expected", "wrong"),
    [
        ("(1, [2, (3,)])", [1, [2, [3]]], [1, [2, 3]]),
        ("{1: 'a', (2): [None]}", {"1": "a", "2": [None]}, {"1": "a", "2": [0]}),
        ("{True: 1, None: 2, 1.5: 3}", {"true": 1, "null": 2, "1.5": 3}, {"True": 1, "null": 2, "1.5": 3}),
        ("float('nan')", math.nan, 0.0),
        ("[float('inf'), -float('inf')]", [math.inf, -math.inf], [math.inf, math.inf]),
        ("(n * n for n in range(4))", [0, 1, 4, 9], [0, 1, 4]),
        ("map(str, [1, 2])", ["1", "2"], [1, 2]),
        ("None", None, 0),
        ("True", 1, 2),
        ("1.0", 1, 1.5),
        ("'1'", "1", 1),
        ("1e18", 10**18, 10**18 + 1),
        ("range(3)", [0, 1, 2], [0, 1, 3]),
        ("__import__('collections').deque([1, 2])", [1, 2], [2, 1]),
        ("__import__('collections').Counter('aab')", {"a": 2, "b": 1}, {"a": 2}),
        ("10 ** 30", 10**30, 10**30 + 1),
        ("-(1 << 9_000)", -(1 << 9_000), 1 << 9_000),
        ("2 ** 53 + 1", 2**53 + 1, 2**53),
        ("'\\x00é\\U0001f600'", "\x00é\U0001f600", "é"),
        ("__import__('numpy').array([[1.5, 2]])", [[1.5, 2.0]], [[1.5, 2.5]]),
        ("__import__('numpy').int64(7)", 7, 8),
        ("__import__('fractions').Fraction(6, 3)", 2, 3),
        ("3j - 3j + 2", 2, 3),
    ],
)
def test_values_are_compared_as_what_json_makes_of_them(client: Client, value: str, expected: Any, wrong: Any) -> None:
    tests = [{"args": [], "expected": expected}, {"args": [], "expected": wrong}]
    assert read_verdicts(client, f"def solve():\n    return {value}", tests, entry_point="solve") == [ACCEPTED, WRONG]


def test_nan_and_infinity_arrive_unchanged_over_plain_json(url: str) -> None:
    code = "import math\ndef solve(a, b):\n    return [math.isnan(a), b == -math.inf, a]"
    body = (
        '{"language": "python", "entry_point": "solve", "code": %s,'
        ' "tests": [{"args": [NaN, -Infinity], "expected": [true, true, NaN]}]}'
    )
    answer = httpx.post(
        f"{url}/verify", content=body % json.dumps(code), headers={"Content-Type": "application/json"}, timeout=60
    )
    assert answer.json()["verdict"] == ACCEPTED


def test_floats_differ_by_the_tolerances_of_a_float_checker_alone(client: Client) -> None:
    code = "def solve():\n    return {'x': (1.0001, 2)}"
    tests = [{"args": [], "expected": {"x": [1, 2]}}]
    loose = {"type": "float", "absolute": 1e-3}
    assert read_verdicts(client, code, tests, entry_point="solve", checker=loose) == [ACCEPTED]
    assert read_verdicts(client, code, tests, entry_point="solve") == [WRONG]


@pytest.mark.parametrize("checker", ["unordered_lines", "unordered_tokens"])
def test_a_set_is_a_list_under_an_unordered_checker_alone(client: Client, checker: str) -> None:
    tests = [{"args": [[3, 1, 2]], "expected": expected} for expected in ([1, 2, 3], [2, 3, 1], [1, 2, 2], [1, 2])]
    for made in ("set", "frozenset", "list"):
        code = f"def solve(a):\n    return {made}(a)"
        loose = read_verdicts(client, code, tests, entry_point="solve", checker={"type": checker})
        assert loose == [ACCEPTED, ACCEPTED, WRONG, WRONG]
        assert read_verdicts(client, code, tests, entry_point="solve") == [WRONG] * 4


def test_ten_megabytes_come_back(client: Client) -> None:
    code = "def solve(n):\n    return ['x' * 1000] * n"
    tests = [{"args": [10_500], "expected": ["x" * 1000] * 10_500}]
    assert read_verdicts(client, code, tests, entry_point="solve") == [ACCEPTED]


def test_lists_become_nodes_where_the_function_declares_them(client: Client) -> None:
    code = """
from typing import List, Optional
class Solution:
    def reverse(self, head: Optional[ListNode]) -> Optional[ListNode]:
        last = None
        while head:
            head.next, last, head = last, head, head.next
        return last
    def mirror(self, root: 'TreeNode'):
        if root:
            root.left, root.right = self.mirror(root.right), self.mirror(root.left)
        return root
    def heads(self, lists: List[Optional[ListNode]]) -> List[int]:
        return [one.val for one in lists if one]
    def plain(self, numbers: List[int]):
        return numbers[0]
"""
    for name, given, expected in [
        ("reverse", [1, 2, 3], [3, 2, 1]),
        ("reverse", None, None),
        ("mirror", [1, 2, 3, None, 4], [1, 3, 2, None, None, 4]),
        ("heads", [[1, 2], [], [3]], [1, 3]),
        ("plain", [7, 8], 7),
    ]:
        test = {"args": [given], "expected": expected}
        assert read_verdicts(client, code, [test], entry_point=f"Solution.{name}") == [ACCEPTED], name


LEETCODE = """
class ListNode:
    def __init__(self, x):
        self.val = x
        self.next = None
    def last(self):
        return self.next.last() if self.next else self.val
class Solution:
    def own(self, head: ListNode):
        return isinstance(head, ListNode)
    def last(self, head: "Optional[ListNode]") -> int:
        return head.last()
    def drop(self, head: Optional[ListNode], val: int) -> Optional[ListNode]:
        while head and head.val == val:
            head = head.next
        return head
    def untyped(self, head: ListNode):
        return head
    def many(self, lists: List[Optional[ListNode]]) -> int:
        return len(lists)
    def split(self, heads: List[ListNode]) -> List[Optional[ListNode]]:
        return [*heads, None]
    def prune(self, root: Optional[TreeNode]) -> Optional[TreeNode]:
        return None if root is None or root.val == 0 else root
    def nothing(self, numbers: List[int]) -> None:
        return None
"""


@pytest.mark.parametrize(
    ("name", "args", "expected", "verdict"),
    [
        ("own", [[1, 2]], True, ACCEPTED),
        ("last", [[1, 2, 3]], 3, ACCEPTED),
        ("drop", [[7, 7], 7], [], ACCEPTED),
        ("drop", [[7, 7], 7], None, ACCEPTED),
        ("drop", [[7, 8], 7], [8], ACCEPTED),
        ("drop", [[7, 8], 7], [], WRONG),
        ("drop", [[], 7], [], ACCEPTED),
        ("untyped", [[]], [], ACCEPTED),
        ("many", [[]], 0, ACCEPTED),
        ("many", [[[], [1]]], 2, ACCEPTED),
        ("split", [[[1], []]], [[1], [], []], ACCEPTED),
        ("prune", [[0, 1]], [], ACCEPTED),
        ("prune", [[1, None, 2]], [1, None, 2], ACCEPTED),
        ("prune", [[1, None, 2]], [1, 2], WRONG),
        ("nothing", [[1]], None, ACCEPTED),
        ("nothing", [[1]], [], WRONG),
    ],
)
def test_linked_lists_and_trees_are_what_leetcode_writes(
    client: Client, name: str, args: list[Any], expected: Any, verdict: str
) -> None:
    test = {"args": args, "expected": expected}
    assert read_verdicts(client, LEETCODE, [test], entry_point=f"Solution.{name}") == [verdict]
    if name in {"own", "last", "drop"}:
        by_name = {"kwargs": dict(zip(("head", "val"), args, strict=False)), "expected": expected}
        assert read_verdicts(client, LEETCODE, [by_name], entry_point=f"Solution.{name}") == [verdict]


def test_a_coroutine_is_run_and_an_asynchronous_generator_is_collected(client: Client) -> None:
    code = """
import asyncio
async def solve(n):
    await asyncio.sleep(0)
    return n * 2
async def count(n):
    for i in range(n):
        yield i
"""
    tests = [{"args": [2], "expected": 4}, {"args": [2], "expected": 5}]
    assert read_verdicts(client, code, tests, entry_point="solve") == [ACCEPTED, WRONG]
    assert read_verdicts(client, code, [{"args": [3], "expected": [0, 1, 2]}], entry_point="count") == [ACCEPTED]


def test_large_arguments_and_strings_of_brackets_are_not_charged_to_the_program(client: Client) -> None:
    limits = {"cpu_time_s": 0.5, "memory_mb": 1024}
    tests = [{"args": [list(range(1_000_000))], "expected": 1_000_000}]
    assert read_verdicts(client, "def solve(a):\n    return len(a)", tests, entry_point="solve", limits=limits) == [
        ACCEPTED
    ]
    tests = [{"args": [3_100_000], "expected": "{"}, {"args": [1], "expected": "{"}]
    assert read_verdicts(client, "def solve(n):\n    return '{' * n", tests, entry_point="solve") == [WRONG, ACCEPTED]


def test_output_and_input_of_the_program_do_not_interfere(client: Client) -> None:
    code = """
import os, sys
print("at import", flush=True)
def solve(n):
    print('{"value": 0}' * 100)
    os.write(1, b"raw"), sys.stderr.write("noise")
    assert sys.stdin.read() == ""
    return n + 1
"""
    assert read_verdicts(client, code, [{"args": [1], "expected": 2}], entry_point="solve") == [ACCEPTED]


def test_the_state_of_one_call_never_reaches_the_next(client: Client) -> None:
    code = """
import os, sys, builtins
seen = []
def solve(n):
    seen.append(n)
    there = [name for name in ("mark", "/tmp/mark", "/dev/shm/mark") if os.path.exists(name)]
    for name in ("mark", "/tmp/mark", "/dev/shm/mark"):
        open(name, "w").close()
    marked = hasattr(builtins, "mark") or "mark" in sys.modules or "MARK" in os.environ
    builtins.mark = sys.modules["mark"] = os
    os.environ["MARK"] = "1"
    return [len(seen), there, marked]
"""
    tests = [{"args": [n], "expected": [1, [], False]} for n in range(5)]
    assert read_verdicts(client, code, tests, entry_point="solve") == [ACCEPTED] * 5


@pytest.mark.parametrize(
    ("code", "verdict", "message"),
    [
        ("def solve(n):\n    raise ValueError('no')", CRASHED, "ValueError: no"),
        ("def solve(n):\n    return object()", CRASHED, "TypeError: a object is not a plain value"),
        ("def solve(n):\n    raise SystemExit(0)", CRASHED, "SystemExit: 0"),
        ("def solve(n):\n    import os; os._exit(0)", CRASHED, "the function returned no value"),
        ("import sys; sys.exit(0)\ndef solve(n): return 2", CRASHED, "NameError: name 'solve' is not defined"),
        ("def other(n): return 2", CRASHED, "NameError: name 'solve' is not defined"),
        ("solve = 2", CRASHED, "TypeError: solve is not callable"),
        ("def solve(: pass", CRASHED, ""),
        ("1 / 0\ndef solve(n): return 2", CRASHED, ""),
        ("def solve(n):\n    while True: pass", "time_limit_exceeded", "CPU time"),
        ("def solve(n):\n    return bytearray(1 << 30)", "memory_limit_exceeded", ""),
        ("def solve(n):\n    while True: print('x' * 1000)", "output_limit_exceeded", ""),
        (
            "def solve(n):\n    a = []; a.append(a); return a",
            CRASHED,
            "TypeError: the value is nested more than 400 levels deep",
        ),
    ],
)
def test_a_call_that_returns_no_value_says_why(client: Client, code: str, verdict: str, message: str) -> None:
    limits = {"cpu_time_s": 0.5, "memory_mb": 128, "output_kb": 64}
    (result,) = judge_tests(client, code, [{"args": [1], "expected": 2}], entry_point="solve", limits=limits)
    assert (result.verdict, result.message) == (verdict, message)


@pytest.mark.parametrize(
    "returned",
    [
        "type('Any', (), {'__eq__': lambda self, other: True})()",
        "type('Any', (int,), {'__eq__': lambda self, other: True})(0)",
        "type('Any', (list,), {'__eq__': lambda self, other: True, '__len__': lambda self: 1})()",
        "type('Any', (dict,), {'items': lambda self: [(1, 2)]})()",
        "type('Any', (float,), {'__eq__': lambda self, other: True, '__repr__': lambda self: '2'})('nan')",
        "__import__('unittest.mock').mock.ANY",
    ],
)
def test_a_value_that_claims_to_equal_everything_does_not_pass(client: Client, returned: str) -> None:
    tests = [{"args": [1], "expected": expected} for expected in (2, [2], {"1": 2})]
    assert ACCEPTED not in read_verdicts(client, f"def solve(n):\n    return {returned}", tests, entry_point="solve")


SAME_HASH = "', '.join(str(k * (2**61 - 1)) for k in range(1, 60_000))"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        ("'{\"dict\": [[' + " + SAME_HASH.replace("', '", "', 1], ['") + " + ', 1]]}'", WRONG),
        ("'{\"set\": [' + " + SAME_HASH + " + ']}'", WRONG),
        ("'{\"set\": [1, 1]}'", CRASHED),
        ("'{\"set\": ' + '[' * 60 + ']' * 60 + '}'", CRASHED),
        ("'{\"int\": 1}'", CRASHED),
        ("'{\"date\": [2024, 1, 1]}'", CRASHED),
        ("'{\"part\": 0}'", CRASHED),
        ("'{\"fraction\": [\"0x1' + '3' * 1_000_000 + '\", \"0x1' + '7' * 1_000_000 + '\"]}'", CRASHED),
        ("'[' + '[],' * 4_000_000 + '[]]'", WRONG),
        ("'[' * 2_000_000", WRONG),
        ("'{\"range\": [0, 1e300, 1]}'", WRONG),
        ("'{\"range\": [0, 1000000000000000000, 1]}'", WRONG),
        ("'{\"dict\": 5}'", CRASHED),
        ("'{\"set\": [[[]], {}]}'", CRASHED),
        ("'{\"no such kind\": 5}'", CRASHED),
        ('\'{"mine": ["object", 0, "x", 0]}\'', CRASHED),
    ],
)
def test_a_forged_answer_neither_passes_nor_delays_the_worker(client: Client, content: str, verdict: str) -> None:
    code = f"""
import os
text = ('{{"value": ' + {content} + '}}\\n').encode()
while text:
    text = text[os.write(4, text):]
os._exit(0)
"""
    tests = [{"args": [1], "expected": expected} for expected in ([1] * 59_999, {"1": 1}, [[1], [2]])]
    results = read_verdicts(client, code, tests, entry_point="solve")
    assert verdict in results
    assert set(results) <= {WRONG, CRASHED}
