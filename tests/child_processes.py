"""Child processes of tests: wait until one answers, keep all CPUs busy, and end them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def run_until_left(
    process: subprocess.Popen[bytes], is_answering: Callable[[], bool], timeout_s: float = 60.0
) -> Iterator[subprocess.Popen[bytes]]:
    """Wait until the process answers, yield it, and kill it at the end."""
    try:
        deadline = time.monotonic() + timeout_s
        while not is_answering():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def overload_cpus(factor: int) -> Iterator[None]:
    """Keep `factor` busy processes per CPU running."""
    count = factor * len(os.sched_getaffinity(0))
    busy = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def stop_processes(processes: Sequence[subprocess.Popen[Any]], timeout_s: float) -> None:
    """Terminate those that still run, and kill those that do not stop in time."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
