"""Process information that the runner reads from the kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.runner import kernel
from sandbox.runner.supervisor import process_tree, usage

UNUSED_PID = 1 << 22  # no kernel assigns this number to a process


def test_the_cpu_time_of_a_process_is_its_own() -> None:
    before = usage.read_process_cpu_time_s(os.getpid())
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert usage.read_process_cpu_time_s(os.getpid()) - before >= 0.19
    assert usage.read_process_cpu_time_s(UNUSED_PID) == 0.0


@pytest.mark.parametrize("lists_children", [True, False], ids=["Linux", "gVisor"])
def test_descendants_are_found_over_generations_and_threads(
    lists_children: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """gVisor does not list a process's children, so every process is asked for its parent."""
    monkeypatch.setattr(process_tree, "HAS_CHILDREN_FILE", lists_children)
    code = (
        "import subprocess, sys, threading\n"
        "def start(): subprocess.run(['sleep', '60'])\n"
        "threading.Thread(target=start, daemon=True).start()\n"
        "print('up', flush=True); start()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    deadline = time.monotonic() + 20
    while len(process_tree.list_descendants(process.pid)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.pid in process_tree.list_descendants(os.getpid())
    for pid in process_tree.list_descendants(process.pid):
        os.kill(pid, 9)
    process.kill()
    process.communicate()
    assert process_tree.list_descendants(process.pid) == process_tree.list_children(UNUSED_PID) == []


def test_linux_is_not_mistaken_for_gvisor() -> None:
    assert kernel.detect_kernel() == ("gvisor" if "gvisor" in Path("/proc/version").read_text().lower() else "")


def test_a_counter_reads_a_number_alone_or_after_its_key(tmp_path: Path) -> None:
    alone, keyed = tmp_path / "alone", tmp_path / "keyed"
    alone.write_text("12\n")
    keyed.write_text("low 1\noom_kill 7\nusage_usec 2500000\n")
    assert usage.KernelCounter(alone).read() == 12
    assert usage.KernelCounter(keyed, b"oom_kill").read() == 7
    assert usage.KernelCounter(keyed, b"usage_usec", 1e-6).read() == 2.5
    assert usage.KernelCounter(keyed, b"missing").read() == 0
    keyed.write_text("low 1\noom_kill 8\n")
    assert usage.KernelCounter(keyed, b"oom_kill").read() == 8


def test_a_counter_of_a_missing_file_reads_zero(tmp_path: Path) -> None:
    counter = usage.KernelCounter(tmp_path / "missing")
    assert (counter.exists, counter.read()) == (False, 0)


def test_memory_and_cpu_wait_of_a_missing_process_are_zero() -> None:
    assert usage.read_resident_mb(os.getpid()) > 1
    assert usage.read_cpu_wait_s(os.getpid()) >= 0
    assert usage.read_resident_mb(UNUSED_PID) == usage.read_cpu_wait_s(UNUSED_PID) == 0.0
