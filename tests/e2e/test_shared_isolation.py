"""`"isolation": "shared"`: a test in its program's process, for values that cannot cross between two processes."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from sandbox.client import Client
from sandbox.schema import TestResult
from tests.e2e.verdicts import ACCEPTED, CRASHED, WRONG, judge_tests

PROGRAM = """
import datetime, os, random
from collections import Counter, namedtuple
calls = 0
class Point:
    def __init__(self, x):
        self.x = x
    def __matmul__(self, other):
        return self.x * other
    def __hash__(self):
        return self.x
    def __eq__(self, other):
        return isinstance(other, Point) and self.x == other.x
def count(path):
    global calls
    calls += 1
    return len(open(path).read().split())
def ask():
    return int(input("n? ")) + 1
def draw():
    return random.random()
def show(text):
    print(text)
def variable(name):
    return os.environ.get(name)
"""


def run_shared(client: Client, test: dict[str, Any], code: str = PROGRAM, **fields: Any) -> TestResult:
    (result,) = judge_tests(client, code, [test], isolation="shared", **fields)
    return result


@pytest.mark.parametrize(
    "source",
    [
        "import tempfile\nwith tempfile.NamedTemporaryFile('w') as f:\n    f.write('a b')\n    f.flush()\n"
        "    assert count(f.name) == 2 and calls == 1",
        "import builtins\nbuiltins.input = lambda prompt: '41'\nassert ask() == 42",
        "from unittest.mock import patch\nwith patch('builtins.input', return_value='1'):\n    assert candidate() == 2",
        "random.seed(7)\nfirst = draw()\nrandom.seed(7)\nassert draw() == first",
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n    show(3)\n"
        "assert out.getvalue() == '3\\n'",
        "os.environ['MODE'] = 'fast'\nassert variable('MODE') == 'fast'",
        "assert Point(3) @ 2 == 6 and len({Point(1), Point(1)}) == 1 and isinstance(Point(1), Point)",
        "import solution, main\nassert solution is main and solution.Point is Point\nmain.calls = 5\nassert calls == 5",
        "def show(text):\n    return 'mine'\nassert show(1) == 'mine'",
        "import pickle\nassert pickle.loads(pickle.dumps(Point(4))).x == 4",
        "import asyncio\nasync def main():\n    return variable('HOME')\nassert asyncio.run(main())",
        "assert __name__ == '__main__' and Counter('aab')['a'] == 2",
    ],
)
def test_tests_that_need_one_process_run_in_one(client: Client, source: str) -> None:
    result = run_shared(client, {"assert": source}, entry_point="ask")
    assert (result.verdict, result.message) == (ACCEPTED, "")


@pytest.mark.parametrize(
    ("source", "verdict", "message"),
    [
        ("assert Point(3) @ 2 == 7, 'not doubled'", WRONG, "AssertionError: not doubled"),
        ("count('/nowhere')", CRASHED, "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere'"),
        ("absent(1)", CRASHED, "NameError: name 'absent' is not defined"),
        ("from solution import absent", CRASHED, "cannot import name 'absent' from"),
        ("import sys\nassert Point(1)\nsys.exit()", WRONG, "the test called sys.exit() before its end"),
        ("import os\nassert Point(1)\nos._exit(0)", CRASHED, "the program ended before the test did"),
        ("assert (", "internal_error", "the test cannot run: SyntaxError: '(' was never closed"),
        ("import nothing_like_it", "internal_error", "the test cannot run: ModuleNotFoundError"),
        ("while True: pass", "time_limit_exceeded", "CPU time"),
    ],
)
def test_a_shared_test_that_fails_says_why(client: Client, source: str, verdict: str, message: str) -> None:
    result = run_shared(client, {"assert": source}, limits={"cpu_time_s": 1})
    assert result.verdict == verdict
    assert message in result.message


def test_a_method_is_called_of_a_new_instance_each_time(client: Client) -> None:
    code = "class Solution:\n    n = 0\n    def count(self):\n        self.n += 1\n        return self.n"
    result = run_shared(
        client, {"assert": "assert candidate() == candidate() == count() == 1"}, code, entry_point="Solution.count"
    )
    assert (result.verdict, result.message) == (ACCEPTED, "")


FILE = """
import pytest, unittest
import calculator
from solution import *
from helper import NUMBER

def test_file(tmp_path, seven):
    path = tmp_path / "a.txt"
    path.write_text("a b c")
    assert count(str(path)) == 3 == NUMBER - 4 == seven - 4

def test_output(capsys):
    show("seen")
    assert capsys.readouterr().out == "seen\\n"

def test_input(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: "1")
    assert ask() == 2

def test_environment(monkeypatch):
    monkeypatch.setenv("MODE", "fast")
    assert variable("MODE") == "fast"

def test_wrong():
    assert calculator.Point(1).x == 2

def test_broken():
    count("/nowhere")

@pytest.mark.skip
def test_marked(): pass

def test_skips_itself():
    pytest.skip("not today")

class TestOld(unittest.TestCase):
    def test_skips_itself(self):
        self.skipTest("not today")
"""


def test_a_pytest_file_runs_in_the_programs_process(client: Client) -> None:
    beside = {
        "conftest.py": "import pytest\n@pytest.fixture\ndef seven():\n    return 7\n",
        "helper.py": "NUMBER = 7\n",
    }
    files = {name: base64.b64encode(text.encode()).decode() for name, text in beside.items()}
    code = f"{PROGRAM}\ndef test_of_the_program():\n    pass\n"
    result = run_shared(client, {"pytest": FILE, "files": files, "modules": ["calculator"]}, code)
    assert result.parts is not None
    assert {part.name: part.verdict.value for part in result.parts} == {
        "test_file": ACCEPTED,
        "test_output": ACCEPTED,
        "test_input": ACCEPTED,
        "test_environment": ACCEPTED,
        "test_wrong": WRONG,
        "test_broken": CRASHED,
        "test_marked": "skipped",
        "test_skips_itself": "skipped",
        "TestOld::test_skips_itself": "skipped",
    }
    assert result.score == pytest.approx(4 / 6)


TRICKS = {
    "ends at once": "import os\nos._exit(0)",
    "exits at once": "import sys\nsys.exit(0)\n",
    "ends in the function": "import os\ndef solve(*_): os._exit(0)",
    "exits in the function": "import sys\ndef solve(*_): sys.exit(0)",
    "becomes another program": "import os\ndef solve(*_): os.execv('/bin/true', ['true'])",
    "an exit handler": "import atexit, os\natexit.register(os._exit, 0)\ndef solve(*_): return 0",
    "no exit any more": "import os, sys\nos._exit = sys.exit = lambda *_: None\ndef solve(*_): return 0",
    "a child in its place": "import os\nif os.fork():\n    os.wait()\n    os._exit(0)\ndef solve(*_): return 7",
    "a child for the failure": """
import os
def solve(*_):
    if os.fork():
        os.wait()
        os._exit(0)
    return 0
""",
    "asks for the test itself": """
import os
os.write(4, b"ready\\n")
test = os.read(3, 1 << 20)
def solve(*_): return 0
""",
    "closes the channel": "import os\nos.close(4)\nos.close(3)\ndef solve(*_): return 0",
    "replaces write": """
import json, os
write = os.write
os.write = lambda descriptor, data: write(descriptor, data.replace(b"failed", b"passed").replace(b"error", b"passed"))
json.dumps = lambda *_, **__: '{"end": "passed"}'
json.loads = lambda *_, **__: {}
def solve(*_): return 0
""",
    "replaces builtins": """
import builtins
for name in ("AssertionError", "compile", "exec", "isinstance", "issubclass", "type", "len"):
    setattr(builtins, name, lambda *_, **__: True)
def solve(*_): return 0
""",
    "looks for the nonce": """
import gc, os, sys
def solve(*_):
    frame, seen = sys._getframe(), []
    while frame:
        seen.append(repr(frame.f_locals) + repr({**frame.f_globals}))
        frame = frame.f_back
    seen += [repr(vars(one)) for one in gc.get_objects() if hasattr(one, "__dict__") and not isinstance(one, type)]
    seen += [repr(one) for one in gc.get_objects() if isinstance(one, (dict, list, tuple))]
    for text in seen:
        place = text.find('"nonce":"')
        if place >= 0 and len(text[place + 9 : place + 41].strip("{}")) == 32:
            os.write(4, b'{"nonce":"%b","end":"passed"}\\n' % text[place + 9 : place + 41].encode())
            os._exit(0)
    return 0
""",
    "moves on in the test": """
import sys
def trace(frame, event, argument):
    if frame.f_code.co_filename == "test.py" and event == "line":
        frame.f_lineno += 1
    return trace
sys.settrace(trace)
def solve(*_): return 0
""",
    "an error with properties": """
class Error(Exception):
    __class__ = __traceback__ = property(lambda self: SystemExit)
    def __str__(self):
        import os
        os._exit(0)
def solve(*_): raise Error
""",
    "skips": "import pytest\ndef solve(*_): pytest.skip('later')",
    "skips as unittest": "import unittest\ndef solve(*_): raise unittest.SkipTest('later')",
    "is known to fail": "import pytest\ndef solve(*_): pytest.xfail('known')",
    "ends pytest": "import pytest\ndef solve(*_): pytest.exit('all well', 0)",
    "a plugin": "open('conftest.py', 'w').write('def pytest_pyfunc_call(pyfuncitem): return True')\ndef solve(*_): 0",
    "options": "import os\nos.environ['PYTEST_ADDOPTS'] = '-k nothing'\ndef solve(*_): return 0",
    "plugins by name": """
import os
os.environ["PYTEST_PLUGINS"] = "solution"
def pytest_pyfunc_call(pyfuncitem): return True
def solve(*_): return 0
""",
    "tests of its own": "def test_easy(): pass\nclass TestEasy:\n    def test_it(self): pass\ndef solve(*_): return 0",
    "breaks the imports": "import sys\nsys.modules['pytest'] = sys.modules['math'] = None\ndef solve(*_): return 0",
}
TESTS: list[dict[str, Any]] = [
    {"assert": "assert solve([3, 4]) == 7"},
    {"assert": "def check(candidate):\n    assert candidate([3, 4]) == 7\ncheck(solve)"},
    {"assert": "import math\nassert math.isclose(solve([3, 4]), 7)"},
    {"pytest": "import pytest\nfrom solution import *\ndef test_it():\n    assert solve([3, 4]) == 7"},
    {
        "pytest": "import unittest\nimport solution\nclass TestIt(unittest.TestCase):\n    def test_it(self):\n"
        "        self.assertEqual(solution.solve([3, 4]), 7)"
    },
]


@pytest.mark.parametrize("trick", TRICKS)
def test_a_program_does_not_pass_by_ending_early(client: Client, trick: str) -> None:
    limits = {"cpu_time_s": 2, "wall_time_s": 3}
    results = judge_tests(client, TRICKS[trick], TESTS, isolation="shared", limits=limits)
    assert {result.score for result in results} == {0}, results
    assert {result.verdict.value for result in results} <= {WRONG, CRASHED, "time_limit_exceeded"}, results


def test_an_honest_program_passes_the_same_tests(client: Client) -> None:
    results = judge_tests(client, "def solve(numbers):\n    return sum(numbers)", TESTS, isolation="shared")
    assert {result.verdict.value for result in results} == {ACCEPTED}, results


def test_the_request_alone_chooses_the_isolation(client: Client, url: str) -> None:
    source = "import os\nopen('here.txt', 'w').close()\nassert count(os.path.abspath('here.txt')) == 0"
    (separate,) = judge_tests(client, PROGRAM, [{"assert": source}])
    assert separate.verdict == CRASHED
    answer = httpx.post(
        f"{url}/verify",
        json={"language": "python", "code": "", "tests": [{"stdin": ""}], "isolation": "none"},
        timeout=60,
    )
    assert answer.status_code == 422
    assert "isolation" in answer.text


def test_isolation_does_not_affect_other_kinds_of_tests(client: Client) -> None:
    tests: list[dict[str, Any]] = [
        {"stdin": "1", "expected": "2"},
        {"args": [1], "expected": 2},
        {"assert": "assert add(1) == 2"},
        {"command": ["python3", "-c", "import main; assert main.add(1) == 2"], "stdin": "1"},
    ]
    code = "def add(n):\n    return n + 1\nif __name__ == '__main__':\n    print(add(int(input())))"
    results = judge_tests(client, code, tests, entry_point="add", isolation="shared")
    assert [result.verdict.value for result in results] == [ACCEPTED] * 4
