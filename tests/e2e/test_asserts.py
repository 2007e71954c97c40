"""Assert tests: source that raises on failure, run in another box than the program and not fooled by tricks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.client import Client
from tests.e2e.verdicts import ACCEPTED, CRASHED, WRONG, judge_tests, read_verdicts

CANNOT_RUN = "the test cannot run: "
IMPORT_ERROR = "ImportError: cannot import name"
NEVER_USED = "the test never used the program, so it tests nothing"
CHEATS = Path(__file__).parents[1] / "security/attacks/cheating"


def run_asserts(client: Client, code: str, *sources: str, **fields: Any) -> list[str]:
    return read_verdicts(client, code, [{"assert": source} for source in sources], **fields)


def test_a_test_calls_the_program_by_name_or_as_candidate(client: Client) -> None:
    code = "LIMIT = 3\ndef add(a, b=1):\n    return a + b"
    sources = [
        "assert add(1, 2) == 3",
        "assert candidate(1, b=5) == 6",
        "def check(f):\n    for n in range(LIMIT):\n        assert f(n) == n + 1\ncheck(candidate)",
        "import solution, main\nassert solution.add(1) == main.add(1) == 2",
        "from solution import *\nassert add(LIMIT) == 4",
        "assert add(1, 2) == 4",
    ]
    assert run_asserts(client, code, *sources, entry_point="add") == [*[ACCEPTED] * 5, WRONG]


def test_a_method_is_called_of_a_new_instance_each_time(client: Client) -> None:
    code = "class Solution:\n    n = 0\n    def count(self):\n        self.n += 1\n        return self.n"
    source = "assert candidate() == candidate() == count() == 1"
    assert run_asserts(client, code, source, entry_point="Solution.count") == [ACCEPTED]


def test_a_test_and_its_program_have_the_same_temporary_files(client: Client) -> None:
    code = """
import pathlib
def count(path):
    return len(open(path).read().split())
def double(source, target):
    pathlib.Path(target).write_bytes(pathlib.Path(source).read_bytes() * 2)
"""
    in_unittest = """
import os, tempfile, unittest
class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.path = os.path.join(self.folder, "a.txt")
    def test_count(self):
        with open(self.path, "w") as file:
            file.write("a b")
        self.assertEqual(count(self.path), 2)
    def test_double(self):
        with open(self.path, "wb") as file:
            file.write(bytes(100_000))
        double(self.path, target=self.path)
        self.assertEqual(os.path.getsize(self.path), 200_000)
unittest.main()
"""
    in_threads = """
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
with tempfile.TemporaryDirectory() as folder:
    def asked(number):
        path = Path(folder) / str(number)
        path.write_text("a " * number)
        double(path, f"{path}.out")
        return count(path), len(Path(f"{path}.out").read_text().split())
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(asked, range(12))) == [(n, 2 * n) for n in range(12)]
"""
    in_a_list = """
import tempfile
path = tempfile.mktemp()
open(path, "w").write("a b c")
assert [count(name) for name in [path]] == [3]
open(path, "w").write("d e f")
assert count(path) == 3
open("/tmp/by-name.txt", "w").write("a")
assert count("/tmp/by-name.txt") == 1
"""
    wrong = 'import tempfile\npath = tempfile.mktemp()\nopen(path, "w").write("a b")\nassert count(path) == 3'
    found = run_asserts(client, code, in_unittest, in_threads, in_a_list, wrong)
    assert found == [ACCEPTED, ACCEPTED, ACCEPTED, WRONG]


def test_carrying_files_costs_the_program_nothing(client: Client) -> None:
    code = "def size(path):\n    return len(open(path, 'rb').read())"
    source = """
import tempfile
from pathlib import Path
with tempfile.TemporaryDirectory() as folder:
    for number in range(200):
        (Path(folder) / str(number)).write_bytes(bytes(60_000))
    for _ in range(100):
        assert size(Path(folder) / "7") == 60_000
"""
    limits = {"cpu_time_s": 0.3, "wall_time_s": 10}
    assert run_asserts(client, code, source, limits=limits) == [ACCEPTED]


PROGRAM = """
import math
import numpy as np
import pandas as pd
from collections import namedtuple, OrderedDict
class Pair:
    def __init__(self, a, b):
        self.a, self.b = a, b
    def __eq__(self, other):
        return (self.a, self.b) == (other.a, other.b)
    def __lt__(self, other):
        return self.a < other.a
    def __add__(self, other):
        return Pair(self.a + other.a, self.b + other.b)
    def __len__(self):
        return 2
    def __iter__(self):
        return iter((self.a, self.b))
    def __repr__(self):
        return f"Pair({self.a}, {self.b})"
    def total(self):
        return self.a + self.b
    @classmethod
    def zero(cls):
        return cls(0, 0)
class Bad(ValueError):
    def __init__(self, n):
        super().__init__(f"bad {n}")
        self.n = n
def pair(a, b):
    return Pair(a, b)
def fail(n):
    raise Bad(n) if n else KeyError("zero")
def each(function, items):
    return [function(item) for item in items]
def adder(n):
    return lambda m: m + n
def naturals():
    n = 0
    while True:
        yield n
        n += 1
def sort(items):
    items.sort()
def merge(a, b):
    a.update(b)
    return a
def add_all(group):
    return sum(one.weight() for one in group)
def copy(items, item):
    return [*items, item]
def stop():
    raise StopIteration(3)
"""


@pytest.mark.parametrize(
    "source",
    [
        "assert pair(1, 2) == Pair(1, 2) and pair(1, 2) != Pair(1, 3)",
        "p = Pair(1, 2)\np.a = 5\nassert p.total() == 7 and isinstance(p, Pair) and len(p) == 2 and list(p) == [5, 2]",
        "assert Pair(1, 2) + Pair(3, 4) == Pair(4, 6) and Pair(1, 9) < Pair(2, 0)",
        "assert repr(Pair.zero()) == str(Pair(0, 0)) == 'Pair(0, 0)'",
        "assert [one.a for one in sorted([Pair(2, 0), Pair(1, 0)])] == [1, 2]",
        "try:\n    fail(7)\nexcept Bad as e:\n    assert str(e) == 'bad 7' and e.n == 7\nelse:\n    assert 0",
        "try:\n    fail(7)\nexcept ValueError as error:\n    assert error.args == ('bad 7',)\nelse:\n    assert 0",
        "try:\n    fail(0)\nexcept KeyError as error:\n    assert error.args == ('zero',)\nelse:\n    assert 0",
        "import pytest\nwith pytest.raises(Bad, match='bad 3'):\n    fail(3)",
        "import unittest\nunittest.TestCase().assertRaises(ValueError, fail, 1)",
        "assert each(lambda n: n * n, range(4)) == [0, 1, 4, 9]",
        "assert each(pair, []) == [] and each(adder(2), [1]) == [3]",
        "assert adder(3)(4) == 7",
        "stream = naturals()\nassert [next(stream) for _ in range(3)] == [0, 1, 2]",
        "items = [3, 1, 2]\nassert sort(items) is None\nassert items == [1, 2, 3]",
        "d = {1: 2}\nassert merge(d, {(3, 4): {5}}) == {1: 2, (3, 4): {5}} == d",
        "class Box:\n    def weight(self):\n        return 4\nassert add_all([Box(), Box()]) == 8",
        "def f(n):\n    raise KeyError(n)\ntry:\n    each(f, [8])\nexcept KeyError as e:\n    assert e.args == (8,)",
        "import numpy as np\nassert (each(np.sum, [np.array([1, 2])]) == np.array([3])).all()",
        "assert math.gcd(4, 6) == 2",
        "import solution\nassert solution.math.gcd(4, 6) == solution.math.gcd(6, 4) == 2",
        "from solution import math as m\nassert m.gcd(4, 6) == 2 and pair",
        "from solution import *\nassert math.gcd(4, 6) == 2 and adder(1)(1) == 2",
        "assert np.sum([adder(2)(1), 1]) == 4 == pd.Series([adder(1)(1), 2]).sum()",
        "assert copy([1], 2) == [1, 2]",
        "if __name__ == '__main__':\n    assert adder(1)(1) == 2\nelse:\n    assert 0",
        "class Box:\n    pass\nimport pickle, sys\nassert pickle.loads(pickle.dumps(Box())) and adder(1)(1)\n"
        "assert sys.modules['__main__'].Box is Box and sys.argv == ['test.py']",
        "try:\n    stop()\nexcept StopIteration as error:\n    assert error.value == 3",
        "import os\nif os.fork() == 0:\n    raise ValueError\nassert adder(1)(1) == 2",
    ],
)
def test_objects_functions_and_exceptions_of_the_program_can_be_tested(client: Client, source: str) -> None:
    (result,) = judge_tests(client, PROGRAM, [{"assert": source}])
    assert (result.verdict, result.message) == (ACCEPTED, "")


@pytest.mark.parametrize(
    ("source", "verdict", "message"),
    [
        ("assert adder(3)(4) == 8", WRONG, "AssertionError"),
        ("assert pair(1, 2) == Pair(2, 2), 'why'", WRONG, "AssertionError: why"),
        ("fail(2)", CRASHED, "program.Bad: bad 2"),
        ("absent(2)", CRASHED, "NameError: name 'absent' is not defined"),
        ("assert len(pair(1, 2)) == 2", CRASHED, "TypeError: a Pair is not a plain value"),
        ("assert pair(1, 2) == (1, 2)", WRONG, "AssertionError"),
        ("assert Pair(1, 2) == (1, 2)", WRONG, "AssertionError"),
        ("assert Pair(1, 2) < 3", CRASHED, "AttributeError: 'int' object has no attribute 'a'"),
        ("assert (", "internal_error", "the test cannot run: SyntaxError: '(' was never closed"),
        ("import sys\nsys.exit(1)", WRONG, ""),
        ("import sys\nassert adder(1)(1) == 2\nsys.exit()", WRONG, "the test called sys.exit() before its end"),
        ("import sys\nadder(1)\nsys.exit('too bad')", WRONG, "too bad"),
        ("raise SystemExit(0)", WRONG, "the test called sys.exit() before its end"),
        ("import os\nassert adder(1)\nos._exit(0)", WRONG, "the test exited before it reached its end"),
        ("import absent", "internal_error", f"{CANNOT_RUN}ModuleNotFoundError: No module named 'absent'"),
        ("from solution import absent", CRASHED, f"{IMPORT_ERROR} 'absent' from 'solution' (unknown location)"),
        ("import solution\nsolution.absent", CRASHED, "AttributeError: the program has no absent"),
        ("statistics.mean([1])", CRASHED, "NameError: name 'statistics' is not defined"),
        ("list(map(lambda n: stop(), [1]))", CRASHED, "RuntimeError: the program raised StopIteration"),
        ("each(lambda n: 1 / 0, [1])", CRASHED, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_test_that_fails_says_why(client: Client, source: str, verdict: str, message: str) -> None:
    (result,) = judge_tests(client, PROGRAM, [{"assert": source}])
    assert (result.verdict, result.message) == (verdict, message)


UNITTEST = """
import unittest
class TestAdd(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(1, 2), 3)
"""
RUN_BY_HAND = """
suite = unittest.defaultTestLoader.loadTestsFromTestCase(TestAdd)
result = unittest.TextTestRunner().run(suite)
"""
ALL_SKIPPED = UNITTEST.replace("class", "@unittest.skip('no')\nclass")


@pytest.mark.parametrize(
    "ending",
    [
        "unittest.main()",
        "if __name__ == '__main__':\n    unittest.main(verbosity=2)",
        "unittest.main(argv=['first-arg-is-ignored'], exit=False)",
        "assert unittest.main(exit=False).result.wasSuccessful()",
        RUN_BY_HAND,
        f"{RUN_BY_HAND}assert result.wasSuccessful()",
        f"{RUN_BY_HAND}import sys\nsys.exit(not result.wasSuccessful())",
        f"{RUN_BY_HAND}import sys\nsys.exit(0 if result.wasSuccessful() else 1)",
    ],
)
@pytest.mark.parametrize("isolation", ["separate", "shared"])
def test_unittest_finds_the_tests_of_the_source_and_says_how_they_went(
    client: Client, ending: str, isolation: str
) -> None:
    tests = [{"assert": f"{UNITTEST}{ending}"}]
    right, wrong, broken = (f"def add(a, b):\n    return {value}" for value in ("a + b", "a - b", "c"))
    (result,) = judge_tests(client, right, tests, isolation=isolation)
    assert (result.verdict, result.message) == (ACCEPTED, "")
    (result,) = judge_tests(client, wrong, tests, isolation=isolation)
    assert result.verdict == WRONG
    assert "AssertionError" in result.message
    (result,) = judge_tests(client, broken, tests, isolation=isolation)
    assert result.verdict in {CRASHED, WRONG}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", NEVER_USED),
        ("# TODO\n'a test'\nimport math\nCASES = [1, 2]", NEVER_USED),
        ("def check(candidate):\n    assert candidate(1, 2) == 3", NEVER_USED),
        ("def test_add():\n    assert add(1, 2) == 3", NEVER_USED),
        ("class TestAdd:\n    def test_add(self):\n        assert add(1, 2) == 3", NEVER_USED),
        (UNITTEST, NEVER_USED),
        ("import unittest\nunittest.main()", "unittest ran no test"),
        ("import unittest\nassert add(1, 2)\nunittest.main(exit=False)", "unittest ran no test"),
        (f"add(1, 2)\n{ALL_SKIPPED}unittest.main()", "unittest skipped every test"),
    ],
)
@pytest.mark.parametrize("isolation", ["separate", "shared"])
def test_a_source_that_tests_nothing_does_not_pass(client: Client, source: str, why: str, isolation: str) -> None:
    code = "def add(a, b):\n    return a - b"
    (result,) = judge_tests(client, code, [{"assert": source}], entry_point="add", isolation=isolation)
    assert result.verdict == "internal_error"
    assert result.message.startswith(CANNOT_RUN)
    if isolation == "separate" or why != NEVER_USED:
        assert result.message == f"{CANNOT_RUN}{why}"


@pytest.mark.parametrize(
    "source",
    [
        "async def check():\n    assert add(1, 2) == 3\ncheck()",
        "def cases():\n    yield add(1, 2) == 3\ncases()",
        "for case in []:\n    assert add(*case) == 3",
        "import solution",
    ],
)
def test_a_source_that_never_gets_to_the_program_tests_nothing(client: Client, source: str) -> None:
    (result,) = judge_tests(client, "def add(a, b):\n    return a - b", [{"assert": source}])
    assert (result.verdict, result.message) == ("internal_error", f"{CANNOT_RUN}{NEVER_USED}")


def test_a_program_cannot_stand_for_the_failed_assertion_of_a_test(client: Client) -> None:
    source = "try:\n    withdraw(9)\n    assert False\nexcept TooMuch:\n    pass"
    honest = "class TooMuch(Exception):\n    pass\ndef withdraw(n):\n    raise TooMuch"
    assert run_asserts(client, honest, source) == [ACCEPTED]
    for alias in ("AssertionError", "Exception"):
        assert run_asserts(client, f"TooMuch = {alias}\ndef withdraw(n):\n    return n", source) == [CRASHED]


@pytest.mark.parametrize("name", ["sorted", "candidate", "numbers", "expected", "check", "result"])
def test_a_class_that_only_shares_a_name_with_the_test_is_not_trusted(client: Client, name: str) -> None:
    code = f"""
class Liar:
    __len__ = lambda self: 3
    __iter__ = lambda self: iter([1, 2, 3])
    __bool__ = lambda self: True
Liar.__name__ = {name!r}
{name} = Liar
def solve(numbers): return Liar()
"""
    source = """
def check(candidate):
    numbers, expected = [3, 1, 2], 3
    result = candidate(numbers)
    assert len(result) == expected and all(n in sorted(numbers) for n in result for _ in range(expected))
    assert [result for _ in numbers]
"""
    for call in ("check(candidate)", "check(solve)"):
        assert run_asserts(client, code, f"{source}{call}", entry_point="solve") == [CRASHED]


def test_each_test_has_a_program_of_its_own(client: Client) -> None:
    code = "seen = []\ndef count():\n    seen.append(1)\n    return len(seen)"
    assert run_asserts(client, code, *["assert count() == 1\nassert count() == 2"] * 3) == [ACCEPTED] * 3


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("def solve(n):\n    while True: pass", "time_limit_exceeded"),
        ("def solve(n):\n    return 'x' * (1 << 30)", "memory_limit_exceeded"),
        ("def solve(n):\n    while True: print('x' * 1000)", "output_limit_exceeded"),
        ("import time\ndef solve(n):\n    time.sleep(60)", "time_limit_exceeded"),
        ("def solve(n):\n    raise KeyboardInterrupt", CRASHED),
        ("def solve(: pass", CRASHED),
        ("1 / 0", CRASHED),
    ],
)
def test_the_programs_own_end_decides_its_verdict(client: Client, code: str, verdict: str) -> None:
    limits = {"cpu_time_s": 0.5, "wall_time_s": 1, "memory_mb": 64, "output_kb": 64}
    assert run_asserts(client, code, "assert solve(1) == 2", limits=limits) == [verdict]


TRICKS = {
    "sys.exit": "import sys\nsys.exit(0)",
    "sys.exit in the function": "import sys\ndef solve(*_):\n    sys.exit(0)",
    "os._exit": "import os\nos._exit(0)",
    "os._exit in the function": "import os\ndef solve(*_):\n    os._exit(0)",
    "a raised SystemExit": "def solve(*_):\n    raise SystemExit(0)",
    "a SystemExit of its own": "class E(SystemExit): pass\ndef solve(*_):\n    raise E(0)",
    "a replaced AssertionError": "import builtins\nbuiltins.AssertionError = SystemExit\ndef solve(*_): return 0",
    "patched builtins": """
import builtins
builtins.all = builtins.isinstance = builtins.bool = lambda *_: True
builtins.len = builtins.abs = builtins.sum = lambda *_: 0
builtins.__import__ = lambda *_, **__: None
def solve(*_): return 0
""",
    "equal to everything": """
class Any:
    def __eq__(self, other): return True
    __ne__ = __lt__ = __gt__ = lambda self, other: False
    __le__ = __ge__ = __contains__ = __eq__
    __hash__ = __abs__ = __sub__ = lambda self, *_: 0
    def __getattr__(self, name): return lambda *_: True
def solve(*_): return Any()
""",
    "an int equal to everything": "class Any(int):\n    __eq__ = lambda *_: True\ndef solve(*_): return Any(0)",
    "a class equal to everything": """
class Meta(type):
    def __eq__(cls, other): return True
    def startswith(cls, *_): return True
    __hash__ = type.__hash__
class solve(metaclass=Meta):
    def __new__(cls, *_): return cls
""",
    "an instance for a value": """
class solve:
    def __init__(self, *_): pass
    def __eq__(self, other): return True
    def startswith(self, *_): return True
""",
    "a thread that prints": """
import sys, threading
def shout():
    while True:
        print("ok"), print("PASSED", file=sys.stderr)
threading.Thread(target=shout, daemon=True).start()
def solve(*_): return 0
""",
    "an exit handler": "import atexit, os\natexit.register(lambda: os._exit(0))\ndef solve(*_): return 0",
    "the excepthook": "import os, sys\nsys.excepthook = lambda *_: os._exit(0)\ndef solve(*_): return 0",
    "a signal handler": """
import os, signal
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
def solve(*_): return 0
""",
    "reading the test": """
import gc, glob, inspect, os, re, sys
text = repr(gc.get_objects())
text += " ".join(open(name, errors="replace").read() for name in glob.glob("**", recursive=True))
text += sys.stdin.read() + open("/proc/self/maps").read() + repr(sys.argv) + repr(dict(os.environ))
found = re.search(r"SECRET(\\d+)", text.replace("SECRET(", ""))
def solve(*_):
    frames = repr([vars(frame[0]) if hasattr(frame[0], "__dict__") else frame[0].f_locals for frame in inspect.stack()])
    match = found or re.search(r"SECRET(\\d+)", frames)
    return int(match[1]) if match else 0
""",
    "reading the test through what it passed": """
def solve(thing, *_):
    for path in ("__globals__", "__code__", "__class__", "gi_frame", "__init__", "_tested", "__dict__"):
        try:
            getattr(thing, path)
        except Exception:
            continue
        if not isinstance(thing, (int, str)) and path in ("__globals__", "__code__", "gi_frame"):
            return eval("4200 // 100")
    return 0
""",
    "answers written ahead": """
import os
os.write(4, b'{"value": 42}\\n' * 8)
def solve(*_): return 0
""",
    "requests to the test": """
import json, os
for do in ("call", "getattr", "eval", "get", "set"):
    asked = {"do": do, "args": [{"yours": 0}, "__globals__"], "name": "x", "value": 1}
    os.write(4, json.dumps(asked).encode() + b"\\n")
def solve(*_): return 0
""",
    "garbage for an answer": "import os\nos.write(4, b'\\xff[[[' * 1000 + b'\\n')\ndef solve(*_): return 0",
    "an endless answer": "import os\ndef solve(*_):\n    while True: os.write(4, b'[' * 65536)",
    "a child that fails for the parent": """
import os
if os.fork():
    os.wait()
    os._exit(0)
def solve(*_): return 0
""",
}
SECRETS = [
    "secret = 42  # SECRET42\nassert solve(1) == secret",
    "assert 'ab'.startswith(solve('SECRET'))",
    "assert abs(solve(1) - 3.5) < 1e-6",
    "import math\nassert math.isclose(solve(1), 42)",
    "assert 7 in solve(1)",
    "assert solve(lambda n: n) == 42",
    "assert all(solve(n) == 42 for n in range(3))",
]


# Tests of these take seconds, until they reach a limit.
ENDLESS = {"an endless answer", "an iterator without an end"}


def choose_tests(name: str, tests: list[str]) -> list[str]:
    """Return the tests to repeat with the function's own name instead of `candidate`: only a sample of slow ones."""
    return tests[::4] if name in ENDLESS else tests


def list_accepted(client: Client, code: str, tests: list[str], entry_point: str, name: str) -> list[str]:
    """Return the tests that the program with this name passes."""
    limits = {"cpu_time_s": 0.2 if name in ENDLESS else 0.5, "memory_mb": 128, "output_kb": 256}
    verdicts = run_asserts(client, code, *tests, entry_point=entry_point, limits=limits)
    return [test for test, verdict in zip(tests, verdicts, strict=True) if verdict == ACCEPTED]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_does_not_pass(client: Client, trick: str) -> None:
    assert list_accepted(client, TRICKS[trick], SECRETS, "solve", trick) == []
    assert list_accepted(client, TRICKS[trick], choose_tests(trick, SECRETS), "", trick) == []


def test_the_cost_of_carrying_calls_is_not_the_programs(client: Client) -> None:
    code = """
def last(items):
    return items[-1]
def pairs(n):
    return [[i, i] for i in range(n)]
def inc(n):
    return n + 1
def spin(n):
    while True:
        pass
"""
    sources = [
        "assert last(list(range(1_500_000))) == 1_499_999",
        "assert last([[i] for i in range(100_000)]) == [99_999]",
        "assert all(inc(n) == n + 1 for n in range(15_000))",
        "assert len(pairs(50_000)) == 50_000",
        "assert inc(1) == 2\nspin(1)",
    ]
    limits = {"cpu_time_s": 0.25, "memory_mb": 1024}
    assert run_asserts(client, code, *sources, limits=limits) == [*[ACCEPTED] * 4, "time_limit_exceeded"]


LYING_METHODS = """
    def __eq__(self, other): return True
    __ne__ = lambda self, other: False
    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
    __hash__ = lambda self: hash(42)
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __mod__ = __truediv__ = lambda self, o: self
    __abs__ = __neg__ = __round__ = lambda self, *a: self
    __len__ = __int__ = __index__ = lambda self: 2
    __float__ = lambda self: 42.0
    __iter__ = lambda self: iter([1, 2])
    __getitem__ = lambda self, key: self
    __bool__ = lambda self: True
    startswith = endswith = isdigit = count = index = lambda self, *a: True
"""
LIARS = {
    "an object": f"class Liar:{LYING_METHODS}def solve(*_): return Liar()",
    "an instance of the name": f"class solve:\n    def __init__(self, *_): pass{LYING_METHODS}",
    "an int": f"class Liar(int):{LYING_METHODS}def solve(*_): return Liar(0)",
    "a list": f"class Liar(list):{LYING_METHODS}def solve(*_): return Liar()",
    "a named tuple": f"from typing import NamedTuple\nclass Liar(NamedTuple):\n    x: int = 0{LYING_METHODS}"
    "def solve(*_): return Liar()",
    "an enumeration": f"import enum\nclass Liar(enum.Enum):\n    X = 0{LYING_METHODS}def solve(*_): return Liar.X",
    "an exception": f"class Liar(Exception):{LYING_METHODS}def solve(*_): return Liar()",
    "a dataclass": f"import dataclasses\n@dataclasses.dataclass(eq=False)\nclass Liar:\n    x: int = 0{LYING_METHODS}"
    "def solve(*_): return Liar()",
    "a class named like a builtin": f"class sorted:{LYING_METHODS}def solve(*_): return sorted()",
    "a class named like what the test imports": f"class math:{LYING_METHODS}def solve(*_): return math()",
    "a mock": "from unittest.mock import MagicMock, ANY\ndef solve(*_): return ANY",
    "a metaclass": f"class Meta(type):{LYING_METHODS}class Liar(metaclass=Meta): pass\ndef solve(*_): return Liar",
    "a function": "def solve(*_):\n    def f(*_): return True\n    return f",
    "builtins of its own": "def all(*_): return True\nany = isinstance = callable = all\ndef sum(*_): return 0\n"
    "len = abs = sum\ndef sorted(*_): return [1, 2]\ndef solve(*_): return 0",
    "an iterator without an end": "import itertools\ndef solve(*_): return itertools.repeat(42)",
}
PROPERTIES = [
    "assert candidate(1) == 42",
    "assert abs(candidate(1) - 42) < 1e-6",
    "import math\nassert math.isclose(candidate(1), 42)",
    "import math\nassert math.fabs(candidate(1) - 42) == 0",
    "assert 40 < candidate(1) < 44",
    "assert candidate(1) % 42 == 0 and candidate(1) > 5 and len(str(candidate(1))) == 2",
    "assert int(candidate(1)) == 42 == round(candidate(1))",
    "assert 7 in candidate(1) and len(candidate(1)) == 3",
    "assert sorted(candidate(1)) == [1, 2, 3]",
    "assert sum(candidate(1)) == 6 and len(candidate(1)) == 3",
    "assert set(candidate(1)) == {1, 2, 3}",
    "r = candidate(1)\nassert len(r) == 2 and r[0] == 3 and r[1] == 4",
    "assert candidate(1)[0] == 5",
    "assert candidate('x').startswith('y') and candidate('x').count('z') == 1",
    "assert all(candidate(n) == n * n for n in range(5))",
    "assert {42: 'right'}[candidate(1)] == 'right'",
    "assert candidate(1) in (41, 42, 43)",
    "assert [candidate(1), 1] == [42, 1] and (candidate(1),) == (42,)",
    "import unittest\nt = unittest.TestCase()\nt.assertEqual(candidate(1), 42)\nt.assertAlmostEqual(candidate(1), 42)",
    "import pytest\nassert candidate(1) == pytest.approx(42)",
    "import numpy as np\nassert np.allclose(candidate(1), [42, 43])",
    "import numpy as np\nnp.testing.assert_array_equal(candidate(1), [42, 43])",
    "assert isinstance(candidate(1), int) and candidate(1) == 42",
    "def norm(x):\n    return x.val if hasattr(x, 'val') else x\nassert norm(candidate(1)) == 42",
]


@pytest.mark.parametrize("liar", LIARS)
def test_an_object_that_lies_is_not_trusted(client: Client, liar: str) -> None:
    assert list_accepted(client, LIARS[liar], PROPERTIES, "solve", liar) == []
    by_name = [test.replace("candidate", "solve") for test in choose_tests(liar, PROPERTIES)]
    assert list_accepted(client, LIARS[liar], by_name, "", liar) == []


FORGED = {
    "an unknown kind": {"value": {"no such kind": 1}},
    "a set that holds an item twice": {"value": {"set": [1, 1]}},
    "a text for an int": {"value": {"int": 5}},
    "a text for a list": {"value": {"tuple": "ab"}},
    "deep nesting": {"value": [[[[[[0]]]]]] * 2},
    "a class that nobody described": {"value": {"class": [10**9, "int"]}},
    "an object of an int": {"value": {"object": [0, {"global": ["builtins", "int"]}]}},
    "a number below zero": {"value": {"yours": -1}},
    "a module": {"value": {"global": ["os", "system"]}},
    "a builtin that reaches out": {"value": {"global": ["builtins", "eval"]}},
    "a pattern that never ends": {"value": {"pattern": ["(a+)+$", 0]}},
    "an argument that was not passed": {"part": 3},
    "a change of what was not passed": {"value": 1, "changes": [[7, [1]]]},
    "a change of a number": {"value": 1, "changes": [[0, 5]]},
    "an error of no class": {"raised": {"error": "x", "kind": "x", "class": 5}},
    "an error that is no error": {"raised": {"error": "x", "kind": "int", "class": {"global": ["builtins", "int"]}}},
    "a date that is none": {"value": {"date": [0, 0, 0]}},
    "an enumeration of nothing": {"value": {"enum": [{"global": ["builtins", "int"]}, "real", 0]}},
    "a thread that nobody started": {"value": 42, "at": "test 5"},
    "no object": [42],
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_answer_passes_no_assert(client: Client, name: str) -> None:
    code = f"""
import json, os
def solve(*_):
    os.write(4, json.dumps({FORGED[name]!r}).encode() + b"\\n")
    return 0
"""
    sources = ["assert solve([3]) == 42", "assert solve([3]) == [42]\nassert solve([3]) == 42"]
    limits = {"cpu_time_s": 0.5, "wall_time_s": 2}
    assert ACCEPTED not in run_asserts(client, code, *sources, entry_point="solve", limits=limits)


@pytest.mark.parametrize("path", sorted(CHEATS.glob("asserts_*.py")), ids=lambda path: path.stem)
def test_a_cheating_program_of_the_attacks_passes_no_kind_of_test(client: Client, path: Path) -> None:
    tests: list[dict[str, Any]] = [
        {"assert": "assert solve([3, 4]) == 7"},
        {"args": [[3, 4]], "expected": 7},
        {"pytest": "from solution import solve\ndef test_it():\n    assert solve([3, 4]) == 7"},
    ]
    assert ACCEPTED not in read_verdicts(client, path.read_text(), tests, entry_point="solve")
