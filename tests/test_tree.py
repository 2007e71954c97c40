"""The supervised tree, with small stand-ins for its children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 20.0
# Reads its children as JSON; one with a file to `await` answers once the file is there.
PARENT = """
import json, sys
from pathlib import Path
from sandbox.logs import start_logging
from sandbox.tree import Child, Tree
start_logging()
children = []
for given in json.loads(sys.argv[1]):
    awaited = given.pop("await", None)
    log = given.pop("log", None)
    answers = None if awaited is None else Path(awaited).exists
    children.append(Child(**given, answers=answers, log=None if log is None else Path(log)))
Tree(children).run()
"""


class Grove:
    """A tree in a process of its own, and the pids its children have told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def plant(self, *children: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PARENT, json.dumps(children)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )

    def child(self, name: str, script: str = "exec sleep 1000", **more: Any) -> dict[str, Any]:
        """A shell script that first tells its pid, and may tell more to "$TOLD"."""
        told = self.folder / name
        return {"name": name, "command": ["sh", "-c", f"TOLD={told}; echo $$ >>$TOLD; {script}"], **more}

    def told(self, name: str, number: int = 1) -> list[int]:
        """The first numbers a child tells, once it has told so many."""
        path = self.folder / name

        def numbers() -> list[int]:
            return [int(word) for word in path.read_text().split()] if path.exists() else []

        until(lambda: len(numbers()) >= number)
        return numbers()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> list[dict[str, Any]]:
        """The lines it has logged by its end."""
        self.process.send_signal(number)
        return self.logged()

    def logged(self) -> list[dict[str, Any]]:
        _, logs = self.process.communicate(timeout=PATIENCE_S)
        return [json.loads(line) for line in logs.splitlines() if line.startswith("{")]

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def grove(tmp_path: Path) -> Iterator[Grove]:
    grove = Grove(tmp_path)
    yield grove
    grove.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_child_that_dies_is_started_again_and_its_end_logged(grove: Grove) -> None:
    grove.plant(grove.child("api"), grove.child("worker-0"))
    first = grove.told("worker-0")[0]
    os.kill(first, signal.SIGKILL)
    second = grove.told("worker-0", 2)[1]
    assert second != first
    assert runs(second)
    assert len(grove.told("api")) == 1
    ends = [line for line in grove.stop() if line["message"] == "worker-0 ended, starting it again"]
    assert [line["reason"] for line in ends] == ["killed by SIGKILL"]


def test_a_child_that_keeps_dying_is_started_ever_more_rarely(grove: Grove) -> None:
    grove.plant(grove.child("worker-0", "exit 7"))
    grove.told("worker-0", 4)  # by then the third end is logged
    ends = [line for line in grove.stop() if line["message"].startswith("worker-0 ended")]
    assert [line["pause_s"] for line in ends[:3]] == [0.5, 1.0, 2.0]
    assert ends[0]["reason"] == "exit code 7"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_in_reverse(grove: Grove, number: signal.Signals) -> None:
    order = grove.folder / "order"
    leave = f"trap 'echo $0 >>{order}; kill $!; exit' TERM; sleep 1000 & wait"
    names = ("redis", "worker-0", "worker-1", "api")
    children = [grove.child(name, leave.replace("$0", name.partition("-")[0])) for name in names]
    grove.plant(*children)
    pids = [pid for name in names for pid in grove.told(name)]
    time.sleep(0.2)  # until their traps are set
    grove.stop(number)
    assert grove.process.returncode == 0
    assert order.read_text().split() == ["api", "worker", "worker", "redis"]
    assert not any(map(runs, pids))


def test_a_child_that_will_not_stop_is_killed_in_time(grove: Grove) -> None:
    grove.plant(grove.child("api", "trap '' TERM; echo 1 >>$TOLD; while :; do sleep 1; done", stop_patience_s=0.5))
    pid = grove.told("api", 2)[0]
    started = time.monotonic()
    assert "api does not stop, killed" in [line["message"] for line in grove.stop()]
    assert time.monotonic() - started < 5
    assert not runs(pid)


def test_a_second_signal_leaves_no_time(grove: Grove) -> None:
    grove.plant(grove.child("api", "trap '' TERM; echo 1 >>$TOLD; while :; do sleep 1; done", stop_patience_s=60.0))
    pid = grove.told("api", 2)[0]
    grove.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    grove.stop(signal.SIGINT)
    assert not runs(pid)


def test_kill_9_of_the_parent_ends_the_children(grove: Grove) -> None:
    grove.plant(grove.child("redis"), grove.child("api", "trap '' TERM; while :; do sleep 1; done"))
    pids = [*grove.told("redis"), *grove.told("api")]
    grove.process.kill()
    grove.process.communicate()
    until(lambda: not any(map(runs, pids)))


def test_what_a_child_leaves_running_is_killed(grove: Grove) -> None:
    grove.plant(grove.child("worker-0", "sleep 1000 & echo $! >>$TOLD; exit 1"))
    left = grove.told("worker-0", 2)[1]
    until(lambda: not runs(left))


def test_the_next_child_waits_until_the_one_before_answers(grove: Grove) -> None:
    sign = grove.folder / "sign"
    grove.plant(grove.child("redis", **{"await": str(sign)}), grove.child("api"))
    grove.told("redis")
    time.sleep(0.3)
    assert not (grove.folder / "api").exists()
    sign.touch()
    assert grove.told("api")


def test_a_tree_that_waits_for_an_answer_can_be_stopped(grove: Grove) -> None:
    grove.plant(grove.child("redis", **{"await": str(grove.folder / "never")}))
    pid = grove.told("redis")[0]
    grove.stop()
    assert grove.process.returncode == 0
    assert not runs(pid)


def test_one_that_ends_before_it_answers_ends_the_tree_with_its_last_words(grove: Grove) -> None:
    log = grove.folder / "redis.log"
    child = grove.child("redis", "echo no space left >&2; exit 3", log=str(log), **{"await": str(grove.folder / "no")})
    grove.plant(grove.child("worker-0"), child)
    _, errors = grove.process.communicate(timeout=PATIENCE_S)
    assert grove.process.returncode == 1
    assert "redis does not start: exit code 3" in errors
    assert "no space left" in errors
    assert not any(map(runs, grove.told("worker-0")))


def test_children_write_to_their_own_logs(grove: Grove) -> None:
    logs = [grove.folder / "api.log", grove.folder / "worker.log"]
    grove.plant(
        grove.child("api", "echo hello; exec sleep 1000", log=str(logs[0])),
        grove.child("worker-0", "echo hi >&2; exec sleep 1000", log=str(logs[1])),
    )
    until(lambda: [log.exists() and log.read_text() for log in logs] == ["hello\n", "hi\n"])
    grove.stop()
