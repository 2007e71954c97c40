"""Processes beside a session's interpreter, contexts in it, and work on single files during a call."""

from __future__ import annotations

import signal
from typing import Any

from tests.runner.session.session_box import LIMITS, SessionBox


def start(box: SessionBox, *command: str, **fields: Any) -> tuple[int, int]:
    """Start a process, and return the number of its request and its pid."""
    number = box.send("start_process", command=list(command), limits=LIMITS | fields.pop("limits", {}), **fields)
    return number, box.wait_for_event("started")["pid"]


def test_a_process_runs_beside_a_call_in_its_directory_and_with_its_variables(box: SessionBox) -> None:
    call = box.send_code("import time; time.sleep(1); 'slept'")
    box.ask("make_directory", path="inner")
    number, _ = start(
        box, "/bin/bash", "-c", "pwd; echo $A; echo no >&2; exit 3", directory="inner", environment={"A": "b"}
    )
    answer = box.wait(number)
    assert answer.stdout.splitlines()[0].endswith("/work/inner")
    assert answer.stdout.splitlines()[1:] == ["b"]
    assert answer.stderr == "no\n"
    assert (answer.header["status"], answer.header["exit_code"]) == ("error", 3)
    assert box.wait(call).text == "'slept'"


def test_a_process_reads_what_is_written_to_it(box: SessionBox) -> None:
    number, pid = start(box, "cat", stdin=True)
    assert box.ask("write_process", content=b"one\n", pid=pid).header["done"]
    assert box.ask("write_process", content=b"two\n", pid=pid, close=True).header["done"]
    answer = box.wait(number)
    assert (answer.stdout, answer.header["exit_code"]) == ("one\ntwo\n", 0)
    assert box.ask("write_process", content=b"x", pid=pid).header["error"]["code"] == "not_found"
    number, pid = start(box, "sleep", "60")
    assert "not open" in box.ask("write_process", content=b"x", pid=pid).header["error"]["message"]
    box.ask("signal_process", pid=pid, signal=signal.SIGTERM)
    assert box.wait(number).header["signal"] == signal.SIGTERM


def test_a_process_ends_at_its_limits_and_with_its_branch(box: SessionBox) -> None:
    number, _ = start(box, "/bin/bash", "-c", "sleep 60 & sleep 60", limits={"wall_time_s": 0.3})
    assert box.wait(number).header["status"] == "time_limit"
    number, _ = start(box, "/bin/bash", "-c", "while :; do :; done", limits={"cpu_time_s": 0.2})
    assert box.wait(number).header["status"] == "time_limit"
    number, _ = start(box, "/bin/bash", "-c", "printf %2000d 1", limits={"output_kb": 1})
    answer = box.wait(number)
    assert (len(answer.stdout), answer.header["stdout_truncated"]) == (1024, True)
    number, _ = start(box, "no-such-program")
    answer = box.wait(number)
    assert (answer.header["exit_code"], answer.stderr) == (
        127,
        "cannot run no-such-program: No such file or directory\n",
    )
    number, pid = start(box, "sleep", "60")
    box.open(1)
    assert box.ask("signal_process", 1, pid=pid, signal=9).header["error"]["code"] == "not_found"
    assert box.ask("close").header["closed"]
    assert box.wait(number).header["error"]["code"] == "ended"


def test_contexts_share_the_interpreter_but_no_variables(box: SessionBox) -> None:
    box.ask("make_directory", path="other")

    def run(code: str, context: str, **fields: Any) -> str | None:
        names = {"context": context, "contexts": ["", "a"], "directory": "other"} | fields
        return box.wait(box.send("execute", content=code.encode(), limits=LIMITS, **names)).text

    assert run("x = 1; import os; os.path.basename(os.getcwd())", "") == "'work'"
    assert run("x = 2; import os; os.path.basename(os.getcwd())", "a") == "'other'"
    assert (
        run("def name(): return __name__\n(x, os.path.basename(os.getcwd()), name())", "") == "(1, 'work', '__main__')"
    )
    assert run("os.environ['V']", "a", variables={"V": "w"}) == "'w'"
    assert run("(x, os.environ.get('V'))", "a") == "(2, None)"
    assert run("1", "", contexts=[""]) == "1"
    assert run("'x' in globals()", "a") == "False"
    answer = box.wait(box.send("execute", content=b"1", limits=LIMITS, context="b", directory="gone"))
    assert answer.header["error"]["type"] == "FileNotFoundError"


def test_the_work_directory_of_the_first_branch_is_the_home_of_a_user(box: SessionBox) -> None:
    assert box.execute("import os; os.path.samefile('/home/user', '.')").text == "True"
    assert box.execute("os.symlink('x', '/home/y')").header["error"]["type"] == "PermissionError"
    box.open(1)
    assert box.execute("open('/home/user/a')", 1).header["error"]["type"] == "PermissionError"
    box.ask("close")
    box.open(2)
    assert box.execute("open('/home/user/a', 'w').write('b'); open('a').read()", 2).text == "'b'"


def test_entries_are_described_created_and_renamed_during_a_call(box: SessionBox) -> None:
    call = box.send_code("import time; time.sleep(1)")
    box.ask("put_file", path="a.txt", content=b"abc")
    entry = box.ask("stat_file", path="a.txt").header["entry"]
    assert (entry["path"], entry["type"], entry["size"], entry["mode"]) == ("a.txt", "file", 3, 0o644)
    assert box.ask("stat_file", path="").header["entry"]["type"] == "directory"
    assert box.ask("stat_file", path="none").header["error"]["code"] == "not_found"
    assert box.ask("make_directory", path="d/e").header["created"]
    assert not box.ask("make_directory", path="d/e").header["created"]
    assert box.ask("make_directory", path="a.txt").header["error"]["code"] == "file_error"
    assert box.ask("rename_file", path="a.txt", target="d/b.txt").header["done"]
    assert box.ask("get_file", path="d/b.txt").content == b"abc"
    assert box.ask("rename_file", path="none", target="x").header["error"]["code"] == "not_found"
    assert box.ask("rename_file", path="d", target="../x").header["error"]
    assert box.ask("snapshot").header["error"]["code"] == "busy"
    assert box.wait(call).header["status"] == "ok"
