"""Copy-on-write forks of a Python branch."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.runner.session.session_box import SessionBox


def test_a_fork_has_the_state_and_later_changes_stay_apart(box: SessionBox) -> None:
    box.execute("x = [1]\nopen('f', 'w').write('one')")
    first, second = box.fork(count=2)
    box.execute("x.append(2)\nopen('f', 'w').write('two')", first)
    assert box.execute("x, open('f').read()", first).text == "([1, 2], 'two')"
    assert box.execute("x, open('f').read()", second).text == "([1], 'one')"
    assert box.execute("x, open('f').read()").text == "([1], 'one')"


def test_forks_nest_to_any_depth(box: SessionBox) -> None:
    box.execute("path = [0]")
    branch = 0
    for depth in range(1, 9):
        branch = box.fork(branch)[0]
        assert box.execute(f"path.append({depth})\npath", branch).text == str(list(range(depth + 1)))
    assert box.execute("path").text == "[0]"


def test_a_fork_has_its_own_uid_directory_and_streams(box: SessionBox) -> None:
    box.execute("import os, tempfile\nos.mkdir('sub'); os.chdir('sub'); tempfile.gettempdir();")
    code = "print(os.getresuid()[0])\n(os.getcwd(), os.environ['HOME'], tempfile.gettempdir(), os.environ['TMPDIR'])"
    parent = box.execute(code)
    child = box.execute(code, box.fork()[0])
    assert parent.text is not None
    assert child.text == parent.text.replace(parent.stdout.strip(), child.stdout.strip())
    assert parent.stdout != child.stdout


def test_random_numbers_continue_alike(box: SessionBox) -> None:
    box.execute("import random; random.seed(7)")
    branch = box.fork()[0]
    assert box.execute("random.random()").text == box.execute("random.random()", branch).text


def test_links_modes_and_holes_are_copied(box: SessionBox) -> None:
    code = """
import os
open('a', 'w').write('text'); os.link('a', 'b'); os.symlink('a', 'c'); os.symlink('/etc/passwd', 'd')
open('closed', 'w').close(); os.chmod('closed', 0)
os.mkfifo('pipe'); os.makedirs('deep/er'); open('deep/er/x', 'w').write('x'); os.chmod('deep', 0o500)
f = open('hole', 'wb'); f.truncate(50 << 20); f.seek(10 << 20); f.write(b'data'); f.close()
"""
    box.execute(code)
    branch = box.fork()[0]
    code = """
s = os.stat('hole')
(os.stat('a').st_ino == os.stat('b').st_ino, os.readlink('d'), oct(os.stat('closed').st_mode & 0o777),
 open('deep/er/x').read(), oct(os.stat('deep').st_mode & 0o777), s.st_size >> 20, s.st_blocks < 2000,
 os.path.exists('pipe'), {os.lstat(n).st_uid for n in os.listdir()} == {os.getuid()})
"""
    assert box.execute(code, branch).text == "(True, '/etc/passwd', '0o0', 'x', '0o500', 50, True, True, True)"


@pytest.mark.parametrize(
    ("change", "look", "seen"),
    [
        ("os.chmod('.', 0o750)", "oct(os.stat('.').st_mode & 0o777)", "'0o750'"),
        ("os.mkdir('../more')", "sorted(os.listdir('..'))", "['more', 'tmp', 'work']"),
        ("os.rmdir('../tmp')", "os.listdir('..')", "['work']"),
        ("open('../tmp/f', 'w').close()", "os.listdir('../tmp')", "['f']"),
        ("os.rmdir('../tmp'); os.symlink('work', '../tmp')", "os.readlink('../tmp')", "'work'"),
        ("pass", "os.listdir('../tmp') + os.listdir('.') + [oct(os.stat('..').st_mode & 0o777)]", "['0o700']"),
    ],
)
def test_a_fork_has_the_directories_that_the_program_made_of_its_own(
    box: SessionBox, change: str, look: str, seen: str
) -> None:
    box.execute(f"import os\n{change}")
    branch = box.fork()[0]
    assert box.execute(look, branch).text == seen
    assert box.execute("open('new', 'w').write('1'), open('new').read()", branch).text == "(1, '1')"


def test_a_fork_has_an_event_loop_of_its_own(box: SessionBox) -> None:
    box.execute("import asyncio\nawait asyncio.sleep(0)")
    branch = box.fork()[0]
    numbers = [box.send_code("await asyncio.sleep(0.2, 'woke')", one) for one in (0, branch)]
    assert [box.wait(number).text for number in numbers] == ["'woke'", "'woke'"]


def test_the_parents_wait_never_sees_a_branch(box: SessionBox) -> None:
    branch = box.fork()[0]
    box.ask("close", branch)
    assert box.execute("import os; os.wait()").header["error"]["type"] == "ChildProcessError"


def test_branches_outlive_their_parent(box: SessionBox) -> None:
    box.execute("x = 3")
    branch = box.fork()[0]
    assert box.ask("close").header["closed"]
    assert box.execute("x", branch).text == "3"
    assert box.execute("x", box.fork(branch)[0]).text == "3"


def test_threads_of_the_parent_go_on_in_the_parent_only(box: SessionBox) -> None:
    box.execute(
        "import threading, time\nn = 0\ndef count():\n    global n\n    while True:\n        n += 1; time.sleep(0.01)\n"
        "threading.Thread(target=count, daemon=True).start()"
    )
    branch = box.fork()[0]
    time.sleep(0.2)
    assert box.execute("n > 5").text == "True"
    assert box.execute("before = n; time.sleep(0.1); n == before", branch).text == "True"


def test_branches_run_concurrently_and_are_interrupted_alone(box: SessionBox) -> None:
    branch = box.fork()[0]
    number = box.send_code("print('begun')\nimport time; time.sleep(20)", branch)
    box.wait_for_output(number)
    assert box.execute("1 + 1").text == "2"
    box.ask("interrupt", branch)
    assert box.wait(number).header["status"] == "interrupted"


def test_a_fork_that_cannot_be_is_an_error_and_keeps_the_parent(box: SessionBox) -> None:
    code = "import subprocess\nps = []\nfor _ in range(100): ps.append(subprocess.Popen(['sleep', '9']))"
    assert box.execute(code).header["error"]["type"] == "BlockingIOError"
    assert box.ask("fork", count=1).header["error"]["code"] == "fork_failed"
    assert box.execute("[p.kill() or p.wait() for p in ps];").header["status"] == "ok"
    assert box.execute("1", box.fork()[0]).text == "1"


@pytest.mark.slow
def test_a_fork_takes_milliseconds(box: SessionBox) -> None:
    times = []
    for _ in range(20):
        began = time.perf_counter()
        branch = box.fork()[0]
        times.append(time.perf_counter() - began)
        box.ask("close", branch)
    assert statistics.median(times) < 0.05  # 3 ms on a quiet machine
