"""Branches that are closed while others, or they themselves, start, fork, or work on files."""

from __future__ import annotations

import pytest

from tests.runner.session.session_box import BRANCH_LIMITS, SessionBox


def _write_many_files(box: SessionBox) -> None:
    box.execute("for number in range(4000): open(f'file{number}', 'w').write('x')")


@pytest.mark.parametrize("action", ["snapshot", "put_file", "close"])
def test_closing_a_branch_leaves_the_side_processes_of_others_alone(box: SessionBox, action: str) -> None:
    branches = box.fork(count=8)
    _write_many_files(box)
    number = box.send(action, path="new", content=bytes(40 << 20) if action == "put_file" else b"")
    closing = [box.send("close", branch) for branch in branches]
    answer = box.wait(number)
    assert "error" not in answer.header, answer.header
    assert [box.wait(each).header.get("closed") for each in closing] == [True] * 8


def test_closing_a_branch_leaves_the_forks_of_others_alone(box: SessionBox) -> None:
    branches = box.fork(count=8)
    _write_many_files(box)
    number = box.send("fork", count=2)
    closing = [box.send("close", branch) for branch in branches]
    answer = box.wait(number)
    assert len(answer.header.get("branches", [])) == 2, answer.header
    assert all(box.wait(each).header["closed"] for each in closing)


def test_closing_a_branch_leaves_a_starting_branch_alone(box: SessionBox) -> None:
    for first, kind in ((100, "shell"), (200, "python")):
        branches = box.fork(count=8)
        opening = [box.send("open", first + position, kind=kind, limits=BRANCH_LIMITS) for position in range(8)]
        closing = [box.send("close", branch) for branch in branches]
        assert all(box.wait(each).header["closed"] for each in closing)
        assert [box.wait(each).header.get("opened") for each in opening] == [True] * 8
    assert box.execute("echo fine", 107).stdout == "fine\n"


def test_a_branch_closed_while_it_starts_leaves_no_process(box: SessionBox) -> None:
    for branch, kind in enumerate(["shell", "python"] * 4, start=100):
        box.send("open", branch, kind=kind, limits=BRANCH_LIMITS)
        assert box.ask("close", branch).header["closed"]
    code = """
import os, time
def count():
    return sum(1 for each in os.listdir('/proc') if each.isdigit())
deadline = time.time() + 5
while count() > 2 and time.time() < deadline: time.sleep(0.02)
count()
"""
    assert box.execute(code).text == "2"


@pytest.mark.parametrize("kind", ["python", "shell"])
def test_closing_a_branch_ends_its_own_fork_and_its_own_side_processes(box: SessionBox, kind: str) -> None:
    box.open(100, kind=kind)
    for branch in (0, 100):
        box.ask("put_file", branch, path="big", content=bytes(60 << 20))
    forking = box.send("fork", 100, count=2)
    saving = box.send("snapshot")
    closing = [box.send("close", branch) for branch in (100, 0)]  # at once, before the snapshot is complete
    for number in closing:
        closed = box.wait(number).header
        assert closed.get("closed"), closed
    assert box.wait(forking).header["error"]["code"] == "fork_failed"
    assert box.wait(saving).header["error"]["code"] == "file_error"
    box.open(200)
    code = "import os\n[name for name in os.listdir('/proc') if name.isdigit() and int(name) not in (1, os.getpid())]"
    assert box.execute(code, 200).text == "[]"


def test_a_fork_whose_new_shell_ends_fails_and_keeps_the_parent(shell: SessionBox) -> None:
    shell.execute("parent=$BASHPID; trap '[ $BASHPID = $parent ] || exit 3' DEBUG")
    assert shell.ask("fork", count=2).header["error"]["code"] == "fork_failed"
    assert shell.execute("trap - DEBUG; echo $parent").header["status"] == "ok"
    assert shell.execute("basename $PWD", shell.fork()[0]).stdout == "work\n"


def test_a_fork_whose_parent_shell_ends_fails(shell: SessionBox) -> None:
    shell.execute("trap '[ ! -e end ] || exit 3' DEBUG")
    shell.ask("put_file", path="end")
    assert shell.ask("fork").header["error"]["code"] == "fork_failed"
    assert shell.wait_for_event("ended")["branch"] == 0


def test_a_call_ended_by_a_close_has_no_exit_code(box: SessionBox) -> None:
    number = box.send_code("import time; print('begun'); time.sleep(20)")
    box.wait_for_output(number)
    closing = box.send("close")
    header = box.wait(number).header
    assert (header["status"], header["state"], header["exit_code"]) == ("ended", "lost", None)
    assert header["reason"] == "the branch was closed"
    assert box.wait(closing).header["closed"]
