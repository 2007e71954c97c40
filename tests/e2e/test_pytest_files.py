"""Pytest files: real pytest in a box of its own, the program behind its imports, a verdict for each test function."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sandbox.client import Client
from sandbox.schema import TestResult
from tests.e2e.verdicts import ACCEPTED, CRASHED, WRONG, judge_tests

PROGRAM = """
LIMIT = 5
class Stack:
    def __init__(self):
        self.items = []
    def push(self, item):
        self.items.append(item)
    def pop(self):
        if not self.items:
            raise IndexError("empty")
        return self.items.pop()
    def __len__(self):
        return len(self.items)
def helper():
    return 1
def total(items):
    return sum(items) + helper() - 1
"""
FILE = """
import pytest
import main
from solution import LIMIT, Stack, total

@pytest.fixture
def stack():
    stack = Stack()
    stack.push(1)
    return stack

@pytest.mark.parametrize(("items", "expected"), [([], 0), ([1, 2], 3), ([1], 2)])
def test_total(items, expected):
    assert total(items) == expected

class TestStack:
    def test_pop(self, stack):
        assert stack.pop() == 1
        assert len(stack) == 0
    def test_empty(self):
        with pytest.raises(IndexError, match="empty"):
            Stack().pop()

def test_broken(stack):
    stack.pop()
    stack.pop()

@pytest.mark.skip
def test_skipped():
    assert False

@pytest.mark.xfail
def test_known_to_fail():
    assert total([1]) == 7

@pytest.mark.parametrize("value", [1])
def test_patched(monkeypatch, tmp_path, capsys, value):
    monkeypatch.setattr(main, "helper", lambda: 11)
    assert total([1]) == 11
    (tmp_path / "x").write_text("y")
    print("seen")
    assert capsys.readouterr().out == "seen\\n"

def test_not_patched_any_more():
    assert total([1]) == 1 == LIMIT - 4
"""


def run_pytest_file(client: Client, source: str, code: str = PROGRAM, **fields: Any) -> TestResult:
    limits = fields.pop("limits", {})
    (result,) = judge_tests(client, code, [{"pytest": source, **fields}], limits=limits)
    return result


def read_parts(result: TestResult) -> dict[str, tuple[str, str]]:
    assert result.parts is not None
    return {part.name: (part.verdict.value, part.message) for part in result.parts}


def test_every_function_has_a_verdict_and_the_score_is_the_share_that_passed(client: Client) -> None:
    result = run_pytest_file(client, FILE)
    assert read_parts(result) == {
        "test_total[items0-0]": (ACCEPTED, ""),
        "test_total[items1-3]": (ACCEPTED, ""),
        "test_total[items2-2]": (WRONG, "assert 1 == 2"),
        "TestStack::test_pop": (ACCEPTED, ""),
        "TestStack::test_empty": (ACCEPTED, ""),
        "test_broken": (CRASHED, "IndexError: empty"),
        "test_skipped": ("skipped", "Skipped: unconditional skip"),
        "test_known_to_fail": (ACCEPTED, ""),
        "test_patched[1]": (ACCEPTED, ""),
        "test_not_patched_any_more": (ACCEPTED, ""),
    }
    assert (result.verdict, result.message) == (WRONG, "test_total[items2-2]: assert 1 == 2")
    assert result.score == pytest.approx(7 / 9)


def test_files_beside_it_and_other_names_of_the_program(client: Client) -> None:
    conftest = "import pytest\n@pytest.fixture\ndef seven():\n    return 7\n"
    data = {"conftest.py": conftest, "shared.py": "NUMBER = 7\n", "data/in.txt": "1 2 4"}
    source = """
from pathlib import Path
from calculator import total
from shared import NUMBER
def test_data(seven):
    assert total(map(int, Path("data/in.txt").read_text().split())) == seven == NUMBER
"""
    files = {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}
    result = run_pytest_file(client, source, files=files, modules=["calculator"])
    assert (result.verdict, result.message, result.score) == (ACCEPTED, "", 1)


ENDS = "import os, sys\ndef good(): return 1\n"


@pytest.mark.parametrize(
    ("body", "verdict", "message"),
    [
        ("sys.exit(0)", CRASHED, "the program ended before the test did"),
        ("os._exit(0)", CRASHED, "the program ended before the test did"),
        ("raise KeyboardInterrupt", CRASHED, "the program ended before the test did"),
        ("os.abort()", CRASHED, ""),
        ("while True: pass", "time_limit_exceeded", "CPU time"),
        ("return 'x' * (1 << 30)", "memory_limit_exceeded", ""),
    ],
)
def test_a_program_that_ends_fails_the_function_and_all_after_it(
    client: Client, body: str, verdict: str, message: str
) -> None:
    source = """
from solution import *
def test_a(): assert good() == 1
def test_b():
    try:
        bad()
    except BaseException:
        pass
def test_c(): assert good() == 1
"""
    code = f"{ENDS}def bad():\n    {body}\n"
    result = run_pytest_file(client, source, code, limits={"cpu_time_s": 0.5, "memory_mb": 64})
    assert read_parts(result) == {"test_a": (ACCEPTED, ""), "test_b": (verdict, message), "test_c": (verdict, message)}
    assert result.verdict.value == verdict
    assert result.score == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("source", "verdict", "message"),
    [
        ("from solution import absent\ndef test(): pass", CRASHED, "cannot import name 'absent'"),
        ("def test(: pass", "internal_error", "SyntaxError"),
        ("import nothing_like_it\ndef test(): pass", "internal_error", "No module named 'nothing_like_it'"),
        ("number = 1", "internal_error", "no test"),
        (
            "import pytest\n@pytest.mark.skip\ndef test(): pass",
            "internal_error",
            "the file contains no test, or skips all of them",
        ),
        ("import os\ndef test(): os._exit(0)", "internal_error", "no test"),
    ],
)
def test_a_file_that_cannot_be_run_is_not_a_wrong_answer(
    client: Client, source: str, verdict: str, message: str
) -> None:
    result = run_pytest_file(client, source)
    assert result.verdict == verdict
    assert message in result.message


@pytest.mark.parametrize(
    "middle",
    [
        "pytest.exit('enough', 0)",
        "raise KeyboardInterrupt",
        "os._exit(0)",
        "signal.raise_signal(signal.SIGKILL)",
        "request.session.shouldstop = 'enough'",
    ],
)
def test_a_test_that_was_found_and_never_ended_has_not_passed(client: Client, middle: str) -> None:
    source = f"""
import os, pytest, signal
from solution import total
def test_first(): assert total([1]) == 1
def test_middle(request): {middle}
def test_last(): assert total([1]) == 1
"""
    result = run_pytest_file(client, source)
    verdict_of = {name: verdict for name, (verdict, _) in read_parts(result).items()}
    assert verdict_of["test_first"] == ACCEPTED
    assert verdict_of["test_last"] in {WRONG, CRASHED}
    assert result.verdict in {WRONG, CRASHED}
    assert result.score <= 2 / 3


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("assert total([1, 2]) == 4", WRONG),
        ("FIRST = total([1, 2])[0]", WRONG),
        ("FIRST = total(['a'])", CRASHED),
        ("import nothing_like_it", "internal_error"),
        ("import math\nfrom math import no_such_function", "internal_error"),
        ("eval('total([1, 2]) +')", WRONG),
        ("total([1, 2])\nno_such_name", "internal_error"),
    ],
)
def test_a_file_that_fails_while_it_is_imported_is_judged_by_who_failed(
    client: Client, body: str, verdict: str
) -> None:
    result = run_pytest_file(client, f"from solution import total\n{body}\ndef test_it(): assert total([1]) == 1")
    assert (result.verdict, result.parts, result.score) == (verdict, [], 0)


def test_a_conftest_that_lacks_something_of_the_program_is_the_programs_fault(client: Client) -> None:
    for imported, verdict in (("solution", CRASHED), ("nothing_like_it", "internal_error")):
        conftest = base64.b64encode(f"from {imported} import absent".encode()).decode()
        result = run_pytest_file(client, "def test_it(): pass", files={"conftest.py": conftest})
        assert (result.verdict, result.parts) == (verdict, [])


def test_a_star_import_binds_what_the_file_mentions(client: Client) -> None:
    code = "import math\nLIMIT = 3\n_hidden = 1\ndef total(items):\n    return sum(items)\ndef test_easy():\n    pass\n"
    source = """
from solution import *
def test_names():
    assert total([1, 2]) == LIMIT == math.floor(3.5)
    assert "test_" + "easy" not in globals() and "_hidden" not in globals()
"""
    result = run_pytest_file(client, source, code)
    assert read_parts(result) == {"test_names": (ACCEPTED, "")}


@pytest.mark.parametrize(
    "trick",
    [
        "import pytest\ndef solve(*_): pytest.skip('later')",
        "import pytest\ndef solve(*_): pytest.xfail('known')",
        "import pytest\ndef solve(*_): pytest.exit('all well', 0)",
        "import _pytest.outcomes as o\ndef solve(*_): raise o.Skipped('later')",
        "import unittest\ndef solve(*_): raise unittest.SkipTest('later')",
        'import os\nos.write(4, b\'{"name": "test_it", "outcome": "passed", "message": ""}\\n\')\ndef solve(*_): 0',
        'import os\nos.write(1, b\'{"name": "test_it", "outcome": "passed", "message": ""}\\n\')\ndef solve(*_): 0',
        "open('conftest.py', 'w').write('collect_ignore_glob = [\"*\"]')\ndef solve(*_): 0",
        "class solve:\n    __eq__ = lambda *_: True\n    def __init__(self, *_): pass",
        "import types\nsolve = types.ModuleType('unittest.__main__')",
        "import types\nsolve = types.ModuleType('test.test_winreg')",
        "import types\nsolve = types.ModuleType('no.such')",
        "pytestmark = []\ndef solve(*_): 0\ndef test_easy(): pass\ndef setup_module(*_): raise SystemExit(0)",
    ],
)
def test_a_trick_does_not_pass(client: Client, trick: str) -> None:
    result = run_pytest_file(client, "from solution import *\ndef test_it():\n    assert solve([3, 4]) == 7", trick)
    assert result.verdict in {WRONG, CRASHED}
    assert result.score == 0


FILES_PROGRAM = """
import json, os, shutil
from pathlib import Path
DEFAULT = None
def count(path):
    return len(open(path).read().split())
def count_all(paths, *, more=None):
    return sum(map(count, paths)) + sum(map(count, (more or {}).values()))
def count_configured():
    return count(DEFAULT)
def save(path, text="x"):
    with open(path, "w") as file:
        file.write(text)
def save_later(path):
    yield 1
    save(path)
    yield 2
def tidy(folder):
    for path in Path(folder).rglob("*.tmp"):
        path.unlink()
    shutil.rmtree(Path(folder) / "old")
    (Path(folder) / "new" / "deep").mkdir(parents=True)
    (Path(folder) / "new" / "deep" / "a.bin").write_bytes(bytes(range(256)))
def append(path):
    with open(path, "a") as file:
        file.write("+")
def save_and_tell(path, tell):
    save(path, "now")
    return tell(path)
def exists(path):
    return os.path.exists(path)
class Store:
    def __init__(self, path):
        self.path = path
        self.values = json.loads(Path(path).read_text()) if Path(path).exists() else {}
    def put(self, key, value):
        self.values[key] = value
        Path(self.path).write_text(json.dumps(self.values))
"""
FILES_FILE = """
import os, tempfile
from pathlib import Path
import pytest
import solution
from solution import *

def test_str(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a b c")
    assert count(str(path)) == 3

def test_containers(tmp_path, tmp_path_factory):
    first, second = tmp_path / "a", tmp_path_factory.mktemp("data") / "b"
    first.write_text("a b")
    second.write_text("c")
    assert count_all([first, str(second)], more={"x": first}) == 5

def test_tmpdir(tmpdir):
    tmpdir.join("a").write("a b")
    assert count(tmpdir.join("a")) == 2
    save(tmpdir / "b", "c")
    assert tmpdir.join("b").read() == "c"

def test_tempfile():
    with tempfile.NamedTemporaryFile("w+") as file:
        file.write("a b")
        file.flush()
        assert count(file.name) == 2
        append(file.name)
        file.seek(0)
        assert file.read() == "a b+"
    with tempfile.TemporaryDirectory() as folder:
        save(path=os.path.join(folder, "out"))
        assert os.listdir(folder) == ["out"]
    assert not exists(folder)

def test_changes_both_ways(tmp_path):
    path = tmp_path / "a.txt"
    for number in range(5):
        path.write_text(str(number))
        append(path)
        assert path.read_text() == f"{number}+"
    path.unlink()
    assert not exists(path)

def test_folders(tmp_path):
    (tmp_path / "old" / "er").mkdir(parents=True)
    (tmp_path / "a.tmp").touch()
    (tmp_path / "b.txt").touch()
    tidy(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["b.txt", "new"]
    assert (tmp_path / "new/deep/a.bin").read_bytes() == bytes(range(256))

def test_an_object_that_keeps_its_path(tmp_path):
    store = Store(tmp_path / "db")
    store.put("a", 1)
    assert (tmp_path / "db").read_text() == '{"a": 1}'
    store.put("b", 2)
    assert Store(tmp_path / "db").values == {"a": 1, "b": 2}

def test_global(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("a b c d")
    monkeypatch.setattr(solution, "DEFAULT", tmp_path / "a")
    assert count_configured() == 4

def test_generator_and_callback(tmp_path):
    steps = save_later(tmp_path / "a")
    assert next(steps) == 1 and not (tmp_path / "a").exists()
    assert next(steps) == 2 and (tmp_path / "a").read_text() == "x"
    assert save_and_tell(tmp_path / "b", lambda path: Path(path).read_text()) == "now"

def test_errors_modes_and_times(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing") as caught:
        count(tmp_path / "missing")
    assert caught.value.filename == str(tmp_path / "missing") and caught.value.args[0] == caught.value.errno == 2
    with pytest.raises(IsADirectoryError):
        count(tmp_path)
    path = tmp_path / "a"
    path.touch()
    os.utime(path, (5, 5))
    path.chmod(0o750)
    assert exists(path)
    status = path.stat()
    assert (status.st_mtime, status.st_mode & 0o777) == (5, 0o750)

def test_wrong(tmp_path):
    save(tmp_path / "a")
    assert (tmp_path / "a").read_text() == "y"
"""


def test_temporary_files_are_the_programs_too(client: Client) -> None:
    result = run_pytest_file(client, FILES_FILE, FILES_PROGRAM)
    found = read_parts(result)
    assert found.pop("test_wrong") == (WRONG, "AssertionError: assert 'x' == 'y'")
    assert len(found) == 10
    assert set(found.values()) == {(ACCEPTED, "")}, found


def test_a_folder_of_another_test_and_the_files_next_to_it_are_not_shared(client: Client) -> None:
    code = """
import glob, os
def look(path):
    return sorted(glob.glob("/tmp/**", recursive=True) + os.listdir("."))
def echo(path):
    return path.replace("test_b", "test_a")
def exists(path):
    return os.path.exists(path)
"""
    source = """
import os
from solution import *
def test_a(tmp_path):
    (tmp_path / "secret").touch()
def test_b(tmp_path):
    (tmp_path / "mine").touch()
    (tmp_path / "link").symlink_to(os.getcwd() + "/test_program.py")
    found = look(os.path.join(tmp_path, ""))
    assert [name.rpartition("/")[2] for name in found if "test_b0/" in name] == ["mine"]
    assert not [name for name in found if "secret" in name or "test_program" in name]
    other = echo(str(tmp_path))
    assert os.path.exists(other) and not exists(other)
    assert not exists(os.getcwd() + "/test_program.py")
"""
    assert read_parts(run_pytest_file(client, source, code)) == {"test_a": (ACCEPTED, ""), "test_b": (ACCEPTED, "")}


@pytest.mark.parametrize("files", ["[b'x' * (1 << 20)] * 17", "[b''] * 1_001"])
def test_a_test_that_shares_too_much_cannot_run(client: Client, files: str) -> None:
    start = f"""
from solution import total
def test_it(tmp_path):
    for number, content in enumerate({files}):
        (tmp_path / str(number)).write_bytes(content)
"""
    # Once the program has returned something, it may have made the test write this much.
    for calls, verdict in (("", "internal_error"), ("    assert total([1]) == 1\n", CRASHED)):
        result = run_pytest_file(client, f"{start}{calls}    total([str(tmp_path)])\n")
        assert (result.verdict, result.score) == (verdict, 0), result
        message = "the temporary folders shared between the test and the program hold more than 1,000 files or 16 MiB"
        assert message in result.message


@pytest.mark.parametrize(
    "body", ["path.write_bytes(b'x' * (17 << 20))", "[open(f'{path}{n}', 'w') for n in range(2000)]"]
)
def test_a_program_that_leaves_too_much_is_at_fault(client: Client, body: str) -> None:
    source = "from solution import save\ndef test_it(tmp_path):\n    save(tmp_path / 'a')\n"
    result = run_pytest_file(client, source, f"def save(path):\n    {body}\n")
    assert (result.verdict, result.score) == (CRASHED, 0)


FORGED = """
import json, os
def solve(path):
    files = {files}
    line = json.dumps({{"value": 0, "files": files}}).replace("FOLDER", os.path.dirname(path)).encode()
    os.write(4, line + b"\\n")
    return 0
"""


@pytest.mark.parametrize(
    "files",
    [
        '{"changed": [["FOLDER/../../../../etc/x", "", 0, 0]]}',
        '{"changed": [["FOLDER/../test_it1/x", "", 0, 0]]}',
        '{"changed": [["/tmp/x", "", 0, 0]]}',
        '{"changed": [["FOLDERx", "", 0, 0]]}',
        '{"changed": [["FOLDER//x", "", 0, 0]]}',
        '{"changed": [["FOLDER/x\\0", "", 0, 0]]}',
        '{"changed": [["FOLDER/\\ud800", "", 0, 0]]}',
        '{"changed": [["FOLDER/x", "", 0, 1 << 70]]}',
        '{"changed": [["FOLDER/x", 5, 0, 0]]}',
        '{"changed": [["FOLDER/x", "!", 0, 0, 0]]}',
        '{"changed": [[["FOLDER"], ""]]}',
        '{"changed": [["FOLDER/%d" % n, None] for n in range(1000)]}',
        '{"changed": [["FOLDER/x", "A" * (24 << 20), 0, 0]]}',
        '{"changed": 5}',
        '{"gone": [os.getcwd() + "/test_program.py"]}',
        '{"gone": ["/tmp"]}',
        '{"gone": 7}',
        '{"refused": 1}',
        "[]",
        "7",
        "None",
    ],
)
def test_a_forged_answer_changes_no_other_file(client: Client, files: str) -> None:
    source = """
from solution import solve
def test_it(tmp_path):
    assert solve(str(tmp_path / "a")) == 0
"""
    limits = {"output_kb": 65_536, "file_mb": 64, "cpu_time_s": 5}
    result = run_pytest_file(client, source, FORGED.format(files=files), limits=limits)
    assert (result.verdict, result.score) == (CRASHED, 0), result
    assert result.message.startswith("test_it: ") or "the temporary files of the program: " in result.message, result


def test_a_forged_answer_follows_no_link_and_stays_out_of_other_folders(client: Client) -> None:
    files = """{"folders": ["/tmp"], "gone": ["FOLDER/link"], "changed": [
        ["FOLDER/link", "eA==", 511, 0], ["FOLDER/linked/test_program.py", "eA==", 511, 0],
        ["FOLDER/linked/new", None], ["FOLDER/hard", "eA==", 511, 0], ["FOLDER/a/b", "eA==", 511, 0]]}"""
    source = """
import os
from solution import solve
def test_it(tmp_path, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "kept"
    other.write_text("kept")
    (tmp_path / "link").symlink_to(other)
    (tmp_path / "linked").symlink_to(os.getcwd())
    os.link(other, tmp_path / "hard")
    assert solve(str(tmp_path / "a")) == 0
    assert (tmp_path / "link").read_text() == other.read_text() == "kept"
    assert (tmp_path / "hard").read_text() == "x"
    assert len(open("test_program.py").read()) > 100 and not os.path.exists("new")
    assert not (tmp_path / "a").exists()
"""
    result = run_pytest_file(client, source, FORGED.format(files=files))
    assert read_parts(result) == {"test_it": (ACCEPTED, "")}


def test_monkeypatch_restores_the_attributes_of_a_class(client: Client) -> None:
    code = """
class Account:
    total = 0
    def greet(self):
        return "hi"
    @staticmethod
    def same(x):
        return x
"""
    source = """
from solution import Account
def test_patched(monkeypatch):
    monkeypatch.setattr(Account, "total", 100)
    monkeypatch.setattr(Account, "greet", lambda self: "yo")
    monkeypatch.setattr(Account, "same", staticmethod(lambda x: x + 1))
    assert (Account.total, Account().greet(), Account.same(1)) == (100, "yo", 2)
def test_restored():
    assert (Account.total, Account().greet(), Account.same(1)) == (0, "hi", 1)
"""
    (test,) = client.verify({"language": "python", "code": code, "tests": [{"pytest": source}]}).tests
    assert (test.verdict, test.score) == (ACCEPTED, 1.0), test
