"""Measure sessions: how fast they open, run code and fork, what an idle one costs, and what they cost verdicts.

The service runs on this machine with real boxes. Latencies are those of a client over HTTP, so they include the API,
Redis and the session host.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import docker
from redis import Redis
from rich.console import Console

from loadtest.bench import Plan, describe_machine
from loadtest.session_table import Row, SessionCosts
from loadtest.sides import HttpSide, SandboxDialect
from loadtest.spread import compute_percentile
from loadtest.temporary_service import TemporaryService
from loadtest.workloads import select_workloads
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.client import Client
from sandbox.client.sync_session import Session
from sandbox.config import QueueSettings
from sandbox.queue import session_records
from sandbox.queue.connection import connect
from sandbox.schema.sessions import SessionHost

SETTLE_S = 3.0
PROGRESS_LINES = 20
LEASE_S = QueueSettings.model_fields["lease_s"].default
NEVER_EXPIRES = -1
WARM_TIMEOUT_S = 600.0
BUSY_CODE = "while True: pass"
BUSY_LIMITS = {"cpu_time_s": 3_600.0, "wall_time_s": 7_200.0}


def measure(
    console: Console, *, calls: int, at_once: int, idle: int, churn: int, rounds: int, seconds: float
) -> Iterator[SessionCosts]:
    """Measure all rows: `idle` sessions for the row on memory, and `churn` sessions for what is left behind.

    Yields the rows that have been measured so far after each part, because some parts take many minutes.
    """
    machine = describe_machine(Plan(workloads=()))
    costs = SessionCosts(f"{machine['cores']} CPUs, {machine['memory_gib']} GiB, Linux {machine['kernel']}")
    if calls:
        with _start_service(sessions=at_once + 8, spares=at_once) as (service, client):
            costs.rows += measure_one_at_a_time(client, calls)
            costs.rows += measure_throughput(service.url, seconds)
            costs.rows += measure_at_once(client, at_once)
        yield costs
    if churn:
        with _start_service(sessions=4, spares=2) as (service, client):
            costs.rows += measure_churn(service, client, churn, console.print)
        yield costs
    if rounds:
        costs.rows += measure_verdicts_beside(rounds, seconds)
        yield costs
    if idle:
        with _start_service(sessions=idle + 2, spares=2) as (service, client):
            costs.rows += measure_idle(client, idle, console.print)
        yield costs


@contextmanager
def _start_service(sessions: int, spares: int) -> Iterator[tuple[TemporaryService, Client]]:
    """Start a service, and wait for its warm session boxes."""
    settings = {"SESSIONS": str(sessions), "SESSION_SPARES": str(spares), "SESSION_MEMORY_MB": str(1 << 24)}
    with TemporaryService(2, **settings) as service, Client(service.url) as client:
        _wait_for_warm(service, spares)
        yield service, client


def _wait_for_warm(service: TemporaryService, spares: int) -> None:
    deadline = time.monotonic() + WARM_TIMEOUT_S
    while not any(host.warm >= spares for host in list_hosts(service)):
        if time.monotonic() > deadline:
            raise TimeoutError("the session host did not start its boxes in time")
        time.sleep(0.2)


def list_hosts(service: TemporaryService) -> list[SessionHost]:
    with _connect_redis(service) as redis:
        return session_records.list_hosts(redis, LEASE_S)


def count_redis_keys(service: TemporaryService) -> int:
    """Return the number of keys that do not expire."""
    with _connect_redis(service) as redis:
        return sum(redis.ttl(key) == NEVER_EXPIRES for key in redis.scan_iter("*"))


def _connect_redis(service: TemporaryService) -> Redis:
    return connect(f"unix://{service.home / 'redis.sock'}")


def measure_one_at_a_time(client: Client, calls: int) -> list[Row]:
    opens, executes, forks, closes = [], [], [], []
    for _ in range(calls):
        session = client.session()
        opens.append(_time_ms(session.open))
        session.execute("x = 1")
        executes += [_time_ms(partial(session.execute, "x += 1\nx")) for _ in range(5)]
        copies: list[Session] = []
        forks.append(_time_ms(partial(_fork_into, session, copies)))
        for each in (*copies, session):
            closes.append(_time_ms(each.close))
    return [
        Row("open, one at a time", statistics.median(opens), "ms", 10.0, detail=f"{calls} sessions"),
        Row("open, one at a time, p99", compute_percentile(opens, 99), "ms", 50.0),
        Row("execute", statistics.median(executes), "ms", 6.0, detail="x += 1; x"),
        Row("execute, p99", compute_percentile(executes, 99), "ms"),
        Row("fork", statistics.median(forks), "ms", 8.0, detail="of an idle interpreter"),
        Row("fork, p99", compute_percentile(forks, 99), "ms"),
        Row("close", statistics.median(closes), "ms"),
    ]


def measure_throughput(url: str, seconds: float, sessions: int = 8) -> list[Row]:
    done = [0] * sessions
    stop = threading.Event()

    def run(position: int) -> None:
        with Client(url) as client, client.session() as session:
            while not stop.is_set():
                session.execute("sum(range(100))")
                done[position] += 1

    threads = [threading.Thread(target=run, args=(position,)) for position in range(sessions)]
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    before, began = sum(done), time.monotonic()
    time.sleep(seconds)
    rate = (sum(done) - before) / (time.monotonic() - began)
    stop.set()
    for thread in threads:
        thread.join()
    return [Row("snippets per second", rate, "/s", 300.0, at_least=True, detail=f"{sessions} sessions")]


def measure_at_once(client: Client, at_once: int) -> list[Row]:
    sessions = [client.session() for _ in range(at_once)]
    with ThreadPoolExecutor(at_once) as threads:
        times = list(threads.map(_time_ms, [session.open for session in sessions]))
        list(threads.map(lambda session: session.close(), sessions))
    detail = f"{at_once} warm boxes"
    return [
        Row(f"open, {at_once} at once", statistics.median(times), "ms", detail=detail),
        Row(f"open, {at_once} at once, p99", compute_percentile(times, 99), "ms", 1_000.0),
    ]


def measure_churn(
    service: TemporaryService, client: Client, churn: int, say: Callable[[str], object] = lambda line: None
) -> list[Row]:
    """Open, use and close many sessions, and count the containers, processes and keys that are left."""
    code = "import subprocess, threading\nopen('f', 'w').write('x')\nsubprocess.Popen(['sleep', '60'])"
    keys_before = count_redis_keys(service)
    began = time.monotonic()

    def run(number: int) -> None:
        with client.session() as session:
            session.execute(code)
        if number % max(1, churn // PROGRESS_LINES) == 0:
            say(f"{number} sessions closed in {time.monotonic() - began:.0f} s")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(run, range(1, churn + 1)))
    took_s = time.monotonic() - began
    time.sleep(SETTLE_S)
    containers = _list_containers(service.home)
    processes = sum(len(container.top()["Processes"]) for container in containers)
    slot_boxes = len([each for each in containers if "session" not in str(each.attrs["Config"]["Cmd"])])
    host = list_hosts(service)[0]
    return [
        Row(f"open, execute and close {churn} times", churn / took_s, "/s", detail="2 clients"),
        Row("sessions left", host.open, "", 0),
        Row("session boxes beyond the spares", len(containers) - slot_boxes - host.warm, "", 0),
        Row("processes left per session box", (processes - 2 * slot_boxes) / max(1, host.warm) - 2, "", 0.99),
        Row("Redis keys left, besides records that expire", count_redis_keys(service) - keys_before, "", 12),
    ]


def measure_verdicts_beside(rounds: int, seconds: float, sessions: int = 8) -> list[Row]:
    """Compare the rate of verdicts without sessions and with every session busy, in turns."""
    rows = []
    with _start_service(sessions=sessions, spares=sessions) as (service, client):
        side = HttpSide("service", service.url, partial(SandboxDialect, slots=2), 2)
        for workload in select_workloads("W1,W5"):
            ratios = []
            for _ in range(rounds):
                quiet = side.run(workload, seconds)
                with ExitStack() as stack:
                    for _ in range(sessions):
                        stack.enter_context(_keep_busy(client))
                    busy = side.run(workload, seconds)
                ratios.append((busy.verdicts / busy.elapsed_s) / (quiet.verdicts / quiet.elapsed_s))
            name = f"{workload.name}: rate with {sessions} busy sessions"
            rows.append(
                Row(
                    name,
                    statistics.median(ratios),
                    "x",
                    0.9,
                    at_least=True,
                    detail=f"{min(ratios):.2f}-{max(ratios):.2f}",
                )
            )
    return rows


@contextmanager
def _keep_busy(client: Client) -> Iterator[None]:
    session = client.session()
    session.open()
    thread = threading.Thread(target=lambda: session.execute(BUSY_CODE, limits=BUSY_LIMITS))
    thread.start()
    time.sleep(0.2)
    try:
        yield
    finally:
        session.interrupt()
        thread.join()
        session.close()


def measure_idle(client: Client, idle: int, say: Callable[[str], object]) -> list[Row]:
    """Open idle sessions, and divide the memory that the machine has less by their number."""
    time.sleep(SETTLE_S)
    before = _read_available_mb()
    sessions = [client.session(ttl_s=7_200, idle_ttl_s=7_200, wait_s=120) for _ in range(idle)]
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda session: session.open(), sessions))
    took_s = time.monotonic() - began
    say(f"{idle} sessions opened in {took_s:.0f} s")
    time.sleep(SETTLE_S)
    each_mb = (before - _read_available_mb()) / idle
    first, last = sessions[0].execute("6 * 7").result, sessions[-1].execute("6 * 7").result
    assert first == last == {"text/plain": "42"}
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda session: session.close(), sessions))
    return [
        Row(
            "memory per idle session", each_mb, "MB", 20.0, detail=f"{idle} sessions, with all processes of the engine"
        ),
        Row(f"open {idle}, without warm boxes", idle / took_s, "/s"),
    ]


def _list_containers(home: Path) -> list[Any]:
    client = docker.from_env()
    try:
        return list(client.containers.list(filters={"label": f"{HOME_LABEL}={home}"}, ignore_removed=True))
    finally:
        client.close()


def _fork_into(session: Session, copies: list[Session]) -> None:
    copies.extend(session.fork())


def _time_ms(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return (time.monotonic() - began) * 1000


def _read_available_mb() -> float:
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) / 1024
