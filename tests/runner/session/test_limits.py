"""Limits and interrupts: a call that stops in time keeps its state, and one that does not loses it."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.box.docker.engine import DockerEngine
from tests.runner.session.session_box import SessionBox

WAIT = "import time\ntime.sleep(20)"
SPIN = "while True: pass"
STUBBORN = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"


@pytest.mark.parametrize(
    ("code", "limits"), [(WAIT, {"wall_time_s": 0.3}), (SPIN, {"cpu_time_s": 0.3}), (SPIN, {"wall_time_s": 0.3})]
)
def test_a_call_over_its_time_is_interrupted_and_keeps_its_state(
    box: SessionBox, code: str, limits: dict[str, Any]
) -> None:
    box.execute("x = 5")
    answer = box.execute(code, **limits)
    assert (answer.header["status"], answer.header["state"]) == ("time_limit", "kept")
    assert answer.header["reason"]
    assert box.execute("x").text == "5"


def test_a_call_that_ignores_the_interrupt_is_killed(box: SessionBox) -> None:
    answer = box.execute(STUBBORN, wall_time_s=0.3)
    assert (answer.header["status"], answer.header["state"]) == ("time_limit", "lost")


def test_the_time_of_subprocesses_counts(box: SessionBox) -> None:
    code = "import subprocess\nsubprocess.run(['bash', '-c', 'while :; do :; done'])"
    assert box.execute(code, cpu_time_s=0.4).header["status"] == "time_limit"
    code = "for _ in range(200): subprocess.run(['bash', '-c', 'for ((i=0;i<20000;i++)); do :; done'])"
    answer = box.execute(code, cpu_time_s=0.5)
    assert answer.header["status"] == "time_limit"
    assert answer.header["usage"]["cpu_time_s"] >= 0.4


def test_an_interrupt_ends_the_call_and_keeps_the_state(box: SessionBox) -> None:
    assert box.ask("interrupt").header["interrupted"] is False
    number = box.send_code("x = 6\nprint('begun')\nimport time\ntime.sleep(20)")
    box.wait_for_output(number)
    assert box.ask("interrupt").header["interrupted"] is True
    answer = box.wait(number)
    assert (answer.header["status"], answer.header["error"]["type"]) == ("interrupted", "KeyboardInterrupt")
    assert box.execute("x").text == "6"


def test_an_interrupted_await_leaves_a_usable_event_loop(box: SessionBox) -> None:
    answer = box.execute("import asyncio\nawait asyncio.sleep(20)", wall_time_s=0.3)
    assert answer.header["state"] == "kept"
    assert box.execute("await asyncio.sleep(0, 'fine')").text == "'fine'"


def test_the_number_of_processes_is_limited(box: SessionBox) -> None:
    code = "import subprocess\nps = []\nfor _ in range(100): ps.append(subprocess.Popen(['sleep', '9']))"
    assert box.execute(code).header["error"]["type"] == "BlockingIOError"
    assert box.execute("len(ps) < 100").text == "True"


def test_a_file_is_limited(box: SessionBox) -> None:
    answer = box.execute("open('big', 'wb').write(bytes(100 << 20))")
    assert answer.header["error"]["type"] == "OSError"


def test_the_files_of_a_branch_are_limited_during_calls(engine: DockerEngine) -> None:
    box = SessionBox(engine)
    box.open(limits={"processes": 16, "file_mb": 64, "disk_mb": 8})
    answer = box.execute(
        "import time\nfor i in range(4): open(f'f{i}', 'wb').write(bytes(4 << 20))\ntime.sleep(10)", wall_time_s=20
    )
    assert (answer.header["status"], answer.header["state"]) == ("disk_limit", "kept")
    assert "8 MB" in answer.header["reason"]
    box.close()


def test_running_out_of_memory_ends_the_branch_with_the_reason(engine: DockerEngine) -> None:
    box = SessionBox(engine)
    box.open()
    box.handle.limit_memory(64)
    answer = box.execute("x = bytearray(300 << 20)")
    assert (answer.header["status"], answer.header["state"]) == ("ended", "lost")
    assert answer.header["reason"] == "the box ran out of memory"
    box.open(1)
    assert box.execute("1 + 1", branch=1).text == "2"
    box.close()
