"""A scrape sums the counts of several processes, even dead ones, but ignores the gauges of dead ones."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from sandbox import __version__
from sandbox.errors import EngineUnavailable
from sandbox.telemetry import definitions, process_files
from sandbox.telemetry.disk_metrics import EngineDisk
from sandbox.telemetry.registry import Exposition, MetricsRegistry
from sandbox.telemetry.server import build_server
from tests.http_servers import serve_http

ROOT = Path(__file__).resolve().parents[2]
PROCESS = """
import sys
from pathlib import Path
from sandbox.telemetry import definitions
from sandbox.telemetry.registry import MetricsRegistry
registry = MetricsRegistry(Path(sys.argv[1]), sys.argv[2])
registry.counter(definitions.JOBS_CANCELLED).inc(3)
registry.gauge(definitions.SLOTS, "busy", "slot").set(1)
registry.histogram(definitions.QUEUE_WAIT, "rl").observe(0.3)
print("counted", flush=True)
sys.stdin.read()
"""


@contextmanager
def run_counting_process(folder: Path, role: str) -> Iterator[subprocess.Popen[str]]:
    """Start another process that counts and keeps running."""
    command = [sys.executable, "-c", PROCESS, str(folder), role]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == "counted\n"
        yield started
    finally:
        started.kill()
        started.communicate()


def read_value(folder: Path, series: str) -> float | None:
    """Return the value of one series in a scrape."""
    lines = Exposition(folder).render().decode().splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == series), None)


def test_a_scrape_tells_the_version_and_how_full_the_disk_of_the_home_directory_is(tmp_path: Path) -> None:
    text = Exposition(tmp_path).render().decode()
    assert f'sandbox_build_info{{python="{platform.python_version()}",version="{__version__}"}} 1.0' in text
    total = read_value(tmp_path, 'sandbox_disk_bytes{place="home",state="total"}')
    free = read_value(tmp_path, 'sandbox_disk_bytes{place="home",state="free"}')
    assert total == shutil.disk_usage(tmp_path).total
    assert free is not None
    assert 0 <= free <= total


def test_the_disk_of_an_engine_is_measured_only_where_its_folder_is(tmp_path: Path) -> None:
    def fail() -> Path:
        raise EngineUnavailable("no engine")

    with closing(MetricsRegistry(tmp_path, "worker-0")) as registry:
        for find in (fail, lambda: tmp_path / "elsewhere"):
            EngineDisk(registry, find).measure()
            assert read_value(tmp_path, 'sandbox_disk_bytes{place="engine",state="total"}') is None
        EngineDisk(registry, lambda: tmp_path).measure()
        assert read_value(tmp_path, 'sandbox_disk_bytes{place="engine",state="total"}') is not None


def test_a_scrape_of_one_process_has_the_sum_of_all(tmp_path: Path) -> None:
    with (
        run_counting_process(tmp_path, "worker-0"),
        run_counting_process(tmp_path, "worker-1"),
        closing(MetricsRegistry(tmp_path, "api")) as ours,
    ):
        ours.counter(definitions.JOBS_CANCELLED).inc()
        text = ours.render().decode().splitlines()
    assert "sandbox_jobs_cancelled_total 7.0" in text
    assert 'sandbox_slots{role="slot",state="busy"} 2.0' in text
    assert 'sandbox_queue_wait_seconds_bucket{lane="rl",le="0.25"} 0.0' in text
    assert 'sandbox_queue_wait_seconds_bucket{lane="rl",le="0.5"} 2.0' in text
    assert 'sandbox_queue_wait_seconds_count{lane="rl"} 2.0' in text
    assert 'sandbox_queue_wait_seconds_sum{lane="rl"} 0.6' in text


def test_a_killed_process_keeps_its_counts_and_loses_its_gauges(tmp_path: Path) -> None:
    with run_counting_process(tmp_path, "worker-0") as one, run_counting_process(tmp_path, "worker-1"):
        one.send_signal(signal.SIGKILL)
        one.wait()
        assert read_value(tmp_path, "sandbox_jobs_cancelled_total") == 6
        assert read_value(tmp_path, 'sandbox_slots{role="slot",state="busy"}') == 1
        assert read_value(tmp_path, 'sandbox_slots{role="slot",state="dead"}') == 1


def test_the_next_of_its_role_counts_on(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        with run_counting_process(tmp_path, "worker-0"):
            assert read_value(tmp_path, "sandbox_jobs_cancelled_total") == 3 * number
            assert read_value(tmp_path, 'sandbox_slots{role="slot",state="busy"}') == 1
            assert read_value(tmp_path, 'sandbox_slots{role="slot",state="dead"}') == 0
    assert len(list(tmp_path.glob("counter_*"))) == 1


def test_two_of_one_role_count_apart(tmp_path: Path) -> None:
    with closing(MetricsRegistry(tmp_path, "api")) as one, closing(MetricsRegistry(tmp_path, "api")) as other:
        one.counter(definitions.JOBS_CANCELLED).inc()
        other.counter(definitions.JOBS_CANCELLED).inc(10)
        assert read_value(tmp_path, "sandbox_jobs_cancelled_total") == 11


def test_the_latest_value_counts_where_processes_say_the_same_thing(tmp_path: Path) -> None:
    with closing(MetricsRegistry(tmp_path, "api")) as one, closing(MetricsRegistry(tmp_path, "api")) as other:
        one.gauge(definitions.WORKERS).set(4)
        time.sleep(0.01)
        other.gauge(definitions.WORKERS).set(2)
        assert read_value(tmp_path, "sandbox_workers") == 2


def test_those_that_ended_are_forgotten_before_a_new_start(tmp_path: Path) -> None:
    with closing(MetricsRegistry(tmp_path, "worker-0")) as living:
        living.counter(definitions.JOBS_CANCELLED).inc()
        with run_counting_process(tmp_path, "worker-1"):
            process_files.remove_dead_files(tmp_path)
            assert read_value(tmp_path, "sandbox_jobs_cancelled_total") == 4
        process_files.remove_dead_files(tmp_path)
        assert read_value(tmp_path, "sandbox_jobs_cancelled_total") == 1
        assert read_value(tmp_path, 'sandbox_slots{role="slot",state="dead"}') == 0


def test_what_another_version_declared_is_neither_read_nor_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_files, "DEFINITIONS_HASH", "00000000")
    with closing(MetricsRegistry(tmp_path, "api")) as old:
        old.counter(definitions.JOBS_CANCELLED).inc()
    monkeypatch.undo()
    assert read_value(tmp_path, "sandbox_jobs_cancelled_total") is None
    with closing(MetricsRegistry(tmp_path, "api")) as new:
        assert b"sandbox_jobs_cancelled_total 0.0\n" in new.render()


def test_threads_lose_no_count(tmp_path: Path) -> None:
    with closing(MetricsRegistry(tmp_path, "api")) as registry:

        def count() -> None:
            for _ in range(2_000):
                registry.counter(definitions.REFUSALS, "QueueFull").inc()

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read_value(tmp_path, 'sandbox_submissions_refused_total{reason="QueueFull"}') == 8_000


def test_a_folder_that_cannot_be_written_leaves_a_process_with_its_own_metrics(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with closing(MetricsRegistry(tmp_path / "file" / "metrics", "api")) as registry:
        registry.counter(definitions.JOBS_CANCELLED).inc()
        assert b"sandbox_jobs_cancelled_total 1.0" in registry.render()


def test_a_host_without_an_api_shows_the_metrics_of_its_workers(tmp_path: Path) -> None:
    with run_counting_process(tmp_path, "worker-0"), serve_http(build_server(tmp_path, "127.0.0.1", 0)) as url:
        found, missing = httpx.get(f"{url}/metrics", trust_env=False), httpx.get(url, trust_env=False)
    assert 'sandbox_slots{role="slot",state="busy"} 1.0' in found.text
    assert found.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert missing.status_code == 404
