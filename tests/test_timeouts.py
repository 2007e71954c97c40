"""A test that hangs ends at its timeout: in its first run, in its second, in its teardown, and if it loses a signal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 0.5
HANGING = """
import asyncio, time
import pytest

runs = 0

def test_in_both_runs():
    time.sleep(60)

def test_in_the_second_run():
    global runs
    runs += 1
    assert runs > 1
    time.sleep(60)

@pytest.fixture
def slow_to_stop():
    yield
    time.sleep(60)

def test_in_the_teardown_after_a_failure(slow_to_stop):
    assert False

def test_with_the_first_interruption_lost():
    async def spin():
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass

    async def main():
        task = asyncio.create_task(spin())
        await asyncio.sleep(0)
        await asyncio.sleep(60)
        assert task.done()

    asyncio.run(main())
"""
NAMES = ("in_both_runs", "in_the_second_run", "in_the_teardown_after_a_failure", "with_the_first_interruption_lost")


def test_every_run_of_a_test_ends_at_its_timeout(tmp_path: Path) -> None:
    file = tmp_path / "test_hanging.py"
    file.write_text(HANGING, encoding="utf-8")
    # An interruption while pytest reports a failure ends the whole run, so a failed assertion must be reported quickly.
    options = ["-q", "-rfER", "--assert=plain", "--tb=line", "-p", "tests.timeouts", "-c", "/dev/null"]
    options += [f"--rootdir={tmp_path}", "--reruns=1"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--timeout={TIMEOUT_S}", str(file)],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    for name in NAMES:
        for outcome in ("RERUN", "FAILED"):
            assert f"{outcome} test_hanging.py::test_{name}" in done.stdout
