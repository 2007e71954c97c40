"""Processes beside a session's interpreter, contexts in it, and work on single files during a call."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.runner.session.session_box import LIMITS, Answer, SessionBox

NUMBERS = itertools.count(1_000)


class OpenBranch:
    """An open branch of a box that other tests use too."""

    def __init__(self, box: SessionBox) -> None:
        self.box = box
        self.number = next(NUMBERS)
        box.open(self.number)

    def ask(self, do: str, content: bytes = b"", **fields: Any) -> Answer:
        return self.box.ask(do, self.number, content, **fields)

    def start(self, *command: str, limits: dict[str, float] | None = None, **fields: Any) -> tuple[int, int]:
        """Start a process, and return the number of its request and its pid."""
        fields |= {"command": list(command), "limits": LIMITS | (limits or {})}
        number = self.box.send("start_process", self.number, **fields)
        return number, self.box.wait_for_event("started")["pid"]

    def run(self, *command: str, **fields: Any) -> Answer:
        return self.box.wait(self.start(*command, **fields)[0])


@pytest.fixture
def branch(shared_box: SessionBox) -> Iterator[OpenBranch]:
    opened = OpenBranch(shared_box)
    yield opened
    shared_box.ask("close", opened.number)


def test_a_process_runs_beside_a_call_in_its_directory_and_with_its_variables(branch: OpenBranch) -> None:
    call = branch.box.send_code("import time; time.sleep(1); 'slept'", branch.number)
    branch.ask("make_directory", path="inner")
    source = "pwd; echo $A; echo no >&2; exit 3"
    answer = branch.run("/bin/bash", "-c", source, directory="inner", environment={"A": "b"})
    assert answer.stdout.splitlines()[0].endswith("/work/inner")
    assert answer.stdout.splitlines()[1:] == ["b"]
    assert answer.stderr == "no\n"
    assert (answer.header["status"], answer.header["exit_code"]) == ("error", 3)
    assert branch.box.wait(call).text == "'slept'"


def test_a_process_reads_what_is_written_to_it(branch: OpenBranch) -> None:
    number, pid = branch.start("cat", stdin=True)
    assert branch.ask("write_process", b"one\n", pid=pid).header["done"]
    assert branch.ask("write_process", b"two\n", pid=pid, close=True).header["done"]
    answer = branch.box.wait(number)
    assert (answer.stdout, answer.header["exit_code"]) == ("one\ntwo\n", 0)
    assert branch.ask("write_process", b"x", pid=pid).header["error"]["code"] == "not_found"
    number, pid = branch.start("sleep", "60")
    assert "not open" in branch.ask("write_process", b"x", pid=pid).header["error"]["message"]
    branch.ask("signal_process", pid=pid, signal=signal.SIGTERM)
    assert branch.box.wait(number).header["signal"] == signal.SIGTERM


def test_a_process_ends_at_its_limits(branch: OpenBranch) -> None:
    answer = branch.run("/bin/bash", "-c", "sleep 60 & sleep 60", limits={"wall_time_s": 0.3})
    assert answer.header["status"] == "time_limit"
    answer = branch.run("/bin/bash", "-c", "while :; do :; done", limits={"cpu_time_s": 0.2})
    assert answer.header["status"] == "time_limit"
    answer = branch.run("/bin/bash", "-c", "printf %2000d 1", limits={"output_kb": 1})
    assert (len(answer.stdout), answer.header["stdout_truncated"]) == (1024, True)
    answer = branch.run("no-such-program")
    assert answer.header["exit_code"] == 127
    assert answer.stderr == "cannot run no-such-program: No such file or directory\n"


def test_a_process_belongs_to_its_branch_and_ends_with_it(branch: OpenBranch) -> None:
    other = OpenBranch(branch.box)
    number, pid = other.start("sleep", "60")
    assert branch.ask("signal_process", pid=pid, signal=9).header["error"]["code"] == "not_found"
    assert other.ask("close").header["closed"]
    assert branch.box.wait(number).header["error"]["code"] == "ended"


def test_contexts_share_the_interpreter_but_no_variables(branch: OpenBranch) -> None:
    branch.ask("make_directory", path="other")

    def run(code: str, context: str, **fields: Any) -> str | None:
        names = {"context": context, "contexts": ["", "a"], "directory": "other"} | fields
        return branch.ask("execute", code.encode(), limits=LIMITS, **names).text

    assert run("x = 1; import os; os.path.basename(os.getcwd())", "") == "'work'"
    assert run("x = 2; import os; os.path.basename(os.getcwd())", "a") == "'other'"
    assert run("def name(): return __name__\n(x, os.path.basename(os.getcwd()), name())", "") == (
        "(1, 'work', '__main__')"
    )
    assert run("os.environ['V']", "a", variables={"V": "w"}) == "'w'"
    assert run("(x, os.environ.get('V'))", "a") == "(2, None)"
    assert run("1", "", contexts=[""]) == "1"
    assert run("'x' in globals()", "a") == "False"
    answer = branch.ask("execute", b"1", limits=LIMITS, context="b", directory="gone")
    assert answer.header["error"]["type"] == "FileNotFoundError"


def test_the_work_directory_of_the_first_branch_is_the_home_of_a_user(box: SessionBox) -> None:
    assert box.execute("import os; os.path.samefile('/home/user', '.')").text == "True"
    assert box.execute("os.symlink('x', '/home/y')").header["error"]["type"] == "PermissionError"
    box.open(1)
    assert box.execute("open('/home/user/a')", 1).header["error"]["type"] == "PermissionError"
    box.ask("close")
    box.open(2)
    assert box.execute("open('/home/user/a', 'w').write('b'); open('a').read()", 2).text == "'b'"


def test_entries_are_described_created_and_renamed_during_a_call(branch: OpenBranch) -> None:
    call = branch.box.send_code("import time; time.sleep(1)", branch.number)
    branch.ask("put_file", b"abc", path="a.txt")
    entry = branch.ask("stat_file", path="a.txt").header["entry"]
    assert (entry["path"], entry["type"], entry["size"], entry["mode"]) == ("a.txt", "file", 3, 0o644)
    assert branch.ask("stat_file", path="").header["entry"]["type"] == "directory"
    assert branch.ask("stat_file", path="none").header["error"]["code"] == "not_found"
    assert branch.ask("make_directory", path="d/e").header["created"]
    assert not branch.ask("make_directory", path="d/e").header["created"]
    assert branch.ask("make_directory", path="a.txt").header["error"]["code"] == "file_error"
    assert branch.ask("rename_file", path="a.txt", target="d/b.txt").header["done"]
    assert branch.ask("get_file", path="d/b.txt").content == b"abc"
    assert branch.ask("rename_file", path="none", target="x").header["error"]["code"] == "not_found"
    assert branch.ask("rename_file", path="d", target="../x").header["error"]
    assert branch.box.wait(call).header["status"] == "ok"
