"""The supervised tree, with shell scripts as its children."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.queue.submit_and_wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 20.0
# Counts the page faults of ten rounds in which 60 MB are used and freed.
FAULTS_SCRIPT = """
import resource
def use_memory():
    blocks = [b"x" * (20 << 20) for _ in range(3)]
use_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use_memory()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
# Reads its children as JSON; a child with a file in `await` is ready once that file exists.
PARENT_SCRIPT = """
import json, sys
from pathlib import Path
from sandbox.telemetry.logs import start_logging
from sandbox.processes.process_tree import Child, ProcessTree
start_logging()
children = []
for given in json.loads(sys.argv[1]):
    awaited = given.pop("await", None)
    log = given.pop("log", None)
    is_ready = None if awaited is None else Path(awaited).exists
    children.append(Child(**given, is_ready=is_ready, log=None if log is None else Path(log)))
ProcessTree(children).run()
"""


class TreeProcess:
    """A tree in a separate process, and the pids that its children have reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        assert self._process is not None
        return self._process

    def start(self, *children: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PARENT_SCRIPT, json.dumps(children)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )

    def build_child(self, name: str, script: str = "exec sleep 1000", **more: Any) -> dict[str, Any]:
        """Build a shell script that reports its pid first, and may append more to "$TOLD"."""
        path = self.folder / name
        return {"name": name, "command": ["sh", "-c", f"TOLD={path}; echo $$ >>$TOLD; {script}"], **more}

    def wait_for_numbers(self, name: str, number: int = 1) -> list[int]:
        """Wait until a child has reported this many numbers, and return them."""
        path = self.folder / name

        def read_numbers() -> list[int]:
            return [int(word) for word in path.read_text().split()] if path.exists() else []

        wait_until(lambda: len(read_numbers()) >= number, "it runs as often")
        return read_numbers()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> list[dict[str, Any]]:
        """Stop the tree and return its log lines."""
        self.process.send_signal(number)
        return self.read_log_lines()

    def read_log_lines(self) -> list[dict[str, Any]]:
        _, logs = self.process.communicate(timeout=TIMEOUT_S)
        return [json.loads(line) for line in logs.splitlines() if line.startswith("{")]

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[TreeProcess]:
    tree = TreeProcess(tmp_path)
    yield tree
    tree.close()


def is_running(pid: int) -> bool:
    """Return True if a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_child_that_dies_is_started_again_and_its_end_logged(tree: TreeProcess) -> None:
    tree.start(tree.build_child("api"), tree.build_child("worker-0"))
    first = tree.wait_for_numbers("worker-0")[0]
    os.kill(first, signal.SIGKILL)
    second = tree.wait_for_numbers("worker-0", 2)[1]
    assert second != first
    assert is_running(second)
    assert len(tree.wait_for_numbers("api")) == 1
    ends = [line for line in tree.stop() if line["message"] == "worker-0 ended, restarting it"]
    assert [line["reason"] for line in ends] == ["killed by SIGKILL"]


def test_a_child_that_keeps_dying_is_started_ever_more_rarely(tree: TreeProcess) -> None:
    tree.start(tree.build_child("worker-0", "exit 7"))
    tree.wait_for_numbers("worker-0", 4)  # the third end is logged by then
    ends = [line for line in tree.stop() if line["message"].startswith("worker-0 ended")]
    assert [line["pause_s"] for line in ends[:3]] == [0.5, 1.0, 2.0]
    assert ends[0]["reason"] == "exit code 7"


def test_children_reuse_freed_memory(tree: TreeProcess) -> None:
    tree.start(tree.build_child("api", f"{sys.executable} -c '{FAULTS_SCRIPT}' >>$TOLD; exec sleep 1000"))
    _, faults = tree.wait_for_numbers("api", 2)
    assert faults < 1_000


def test_an_operators_own_allocator_variables_win(tree: TreeProcess) -> None:
    script = "echo $MALLOC_TRIM_THRESHOLD_ $MALLOC_MMAP_THRESHOLD_ >>$TOLD; exec sleep 1000"
    tree.start(tree.build_child("api", script, environment={**os.environ, "MALLOC_TRIM_THRESHOLD_": "7"}))
    assert tree.wait_for_numbers("api", 3)[1:] == [7, 32 << 20]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_all_in_reverse(tree: TreeProcess, number: signal.Signals) -> None:
    order = tree.folder / "order"
    leave = f"trap 'echo $0 >>{order}; kill $!; exit' TERM; sleep 1000 & wait"
    names = ("redis", "worker-0", "worker-1", "api")
    children = [tree.build_child(name, leave.replace("$0", name.partition("-")[0])) for name in names]
    tree.start(*children)
    pids = [pid for name in names for pid in tree.wait_for_numbers(name)]
    time.sleep(0.2)  # until the children have set their traps
    tree.stop(number)
    assert tree.process.returncode == 0
    assert order.read_text().split() == ["api", "worker", "worker", "redis"]
    assert not any(map(is_running, pids))


def test_a_child_that_will_not_stop_is_killed_in_time(tree: TreeProcess) -> None:
    tree.start(tree.build_child("api", "trap '' TERM; echo 1 >>$TOLD; while :; do sleep 1; done", stop_timeout_s=0.5))
    pid = tree.wait_for_numbers("api", 2)[0]
    started = time.monotonic()
    assert "api did not stop, killing it" in [line["message"] for line in tree.stop()]
    assert time.monotonic() - started < 5
    assert not is_running(pid)


def test_a_second_signal_leaves_no_time(tree: TreeProcess) -> None:
    tree.start(tree.build_child("api", "trap '' TERM; echo 1 >>$TOLD; while :; do sleep 1; done", stop_timeout_s=60.0))
    pid = tree.wait_for_numbers("api", 2)[0]
    tree.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    tree.stop(signal.SIGINT)
    assert not is_running(pid)


def test_kill_9_of_the_parent_ends_the_children(tree: TreeProcess) -> None:
    tree.start(tree.build_child("redis"), tree.build_child("api", "trap '' TERM; while :; do sleep 1; done"))
    pids = [*tree.wait_for_numbers("redis"), *tree.wait_for_numbers("api")]
    assert all(map(is_running, pids))
    tree.process.kill()
    tree.process.communicate()
    wait_until(lambda: not any(map(is_running, pids)), "all have ended")


def test_what_a_child_leaves_running_is_killed(tree: TreeProcess) -> None:
    tree.start(tree.build_child("worker-0", "sleep 1000 & echo $! >>$TOLD; exit 1"))
    left = tree.wait_for_numbers("worker-0", 2)[1]
    wait_until(lambda: not is_running(left), "it has ended")
    assert tree.process.poll() is None, "the tree restarts its child and runs on"


def test_the_next_child_waits_until_the_one_before_answers(tree: TreeProcess) -> None:
    sign = tree.folder / "sign"
    tree.start(tree.build_child("redis", **{"await": str(sign)}), tree.build_child("api"))
    tree.wait_for_numbers("redis")
    time.sleep(0.3)
    assert not (tree.folder / "api").exists()
    sign.touch()
    assert tree.wait_for_numbers("api")


def test_a_tree_that_waits_for_an_answer_can_be_stopped(tree: TreeProcess) -> None:
    tree.start(tree.build_child("redis", **{"await": str(tree.folder / "never")}))
    pid = tree.wait_for_numbers("redis")[0]
    tree.stop()
    assert tree.process.returncode == 0
    assert not is_running(pid)


def test_one_that_ends_before_it_answers_ends_the_tree_with_its_last_words(tree: TreeProcess) -> None:
    log = tree.folder / "redis.log"
    child = tree.build_child(
        "redis", "echo no space left >&2; exit 3", log=str(log), **{"await": str(tree.folder / "no")}
    )
    tree.start(tree.build_child("worker-0"), child)
    _, errors = tree.process.communicate(timeout=TIMEOUT_S)
    assert tree.process.returncode == 1
    assert "redis failed to start: exit code 3" in errors
    assert "no space left" in errors
    assert not any(map(is_running, tree.wait_for_numbers("worker-0")))


def test_a_child_that_has_ended_does_not_disturb_the_stop(tree: TreeProcess) -> None:
    api = tree.build_child("api")
    worker = tree.build_child("worker-0", "sleep 1000 & echo $! >>$TOLD; exit 1")
    has_ended = f"grep -q '^State:.Z' /proc/$(head -n 1 {tree.folder}/worker-0)/status"
    redis = tree.build_child(
        "redis", f"until {has_ended}; do sleep 0.01; done; exit 3", **{"await": str(tree.folder / "no")}
    )
    tree.start(api, worker, redis)
    _, errors = tree.process.communicate(timeout=TIMEOUT_S)
    assert errors.splitlines()[-1].endswith("StartupFailed: redis failed to start: exit code 3")
    pids = [*tree.wait_for_numbers("api"), *tree.wait_for_numbers("worker-0", 2)]
    assert not any(map(is_running, pids))


def test_children_write_to_their_own_logs(tree: TreeProcess) -> None:
    logs = [tree.folder / "api.log", tree.folder / "worker.log"]
    tree.start(
        tree.build_child("api", "echo hello; exec sleep 1000", log=str(logs[0])),
        tree.build_child("worker-0", "echo hi >&2; exec sleep 1000", log=str(logs[1])),
    )
    wait_until(lambda: all(log.exists() and log.read_text() for log in logs), "both have written")
    lines = tree.stop()
    assert [log.read_text() for log in logs] == ["hello\n", "hi\n"]
    assert not {"hello", "hi"} & {line["message"] for line in lines}
