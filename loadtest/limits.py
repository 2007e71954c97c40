"""Measure the throughput of one API process and one Redis with several worker hosts, using empty boxes.

Hosts are network namespaces, each with one worker that reaches Redis over its own link. Without the permission to
create them, the worker runs on this host. The rate is what this machine reached with everything on it. The capacity is
what one core would reach, given the CPU time per verdict.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest.load_generator import MeasurementFailed
from loadtest.sample import Sample
from loadtest.sides import HttpSide, SandboxDialect
from loadtest.temporary_service import count_workers, find_free_port, read_machine_cpu_s, read_process_cpu_s
from loadtest.workloads import Case, Task, Workload, make_accepted
from sandbox.gpu.subprocesses import read_tail
from sandbox.processes.embedded_redis import find_server, is_answering
from sandbox.processes.up import compute_api_processes

LINK_ADDRESS = "10.87.{host}.{end}"
START_TIMEOUT_S = 60.0
LOG_TAIL_LINES = 5  # shown of a log


def make_silent(index: int) -> Task:
    """Make a task that an empty box answers correctly."""
    return make_accepted(f"# {index}\n", Case("1 2\n", ""))


WORKLOADS = (
    Workload("one POST each", make_silent, concurrency=64),
    Workload("batches of 64", make_silent, batch=64, concurrency=4),
)


@dataclass(frozen=True, slots=True)
class Limit:
    """One workload with this many hosts. CPU is in milliseconds per verdict, summed over all processes of a kind."""

    workload: str
    hosts: int
    rate: float
    cpu_ms: dict[str, float]
    redis_bytes: float  # received and sent by Redis, per verdict

    def compute_capacity(self, kind: str) -> float:
        """Return the verdicts per second that one core can sustain for this kind of process."""
        return 1000 / self.cpu_ms[kind]


def run(counts: Sequence[int], seconds: float, say: Callable[[str], None]) -> list[Limit]:
    """Measure each host count. Raises WrongVerdict or MeasurementFailed."""
    found = []
    for hosts in counts:
        with ExitStack() as stack:
            deployment = stack.enter_context(Deployment(hosts))
            for workload in WORKLOADS:
                deployment.measure(workload, 1.0)
                limit = deployment.measure(workload, seconds)
                say(f"{hosts} hosts  {workload.name:<14} {limit.rate:8.0f}/s")
                found.append(limit)
    return found


class Deployment:
    """One Redis, its API, and worker hosts; a context manager.

    Without `slots`, each host has one worker with empty boxes, and there is one API process. With `slots`, each host
    has that many real boxes, and the API has as many processes as for a service of all these slots. `first_namespace`
    is the number of the first host's namespace.
    """

    def __init__(self, hosts: int, slots: int = 0, first_namespace: int = 1) -> None:
        self._hosts = hosts
        self._slots = slots
        self._first_namespace = first_namespace
        self._stack = ExitStack()
        self._home = Path()
        self._processes: dict[str, list[subprocess.Popen[bytes]]] = {"redis": [], "api": [], "workers": []}
        self.url = ""
        self._socket = ""

    def __enter__(self) -> Deployment:
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def _start(self) -> None:
        self._home = home = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="limits-")))
        numbers = range(self._first_namespace, self._first_namespace + self._hosts)
        links = [self._stack.enter_context(create_namespace(number)) for number in numbers]
        word, port, api_port = secrets.token_hex(16), find_free_port(), find_free_port()
        self._socket = f"unix://:{word}@{home}/redis.sock"
        options = {
            "bind": " ".join(["127.0.0.1", *(here for _, here in links if here)]),
            "port": str(port),
            "unixsocket": f"{home}/redis.sock",
            "requirepass": word,
            "dir": str(home),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
        }
        settings = home / "redis.conf"
        settings.write_text("".join(f"{name} {value or chr(34) * 2}\n" for name, value in options.items()))
        self._start_process("redis", [str(find_server()), str(settings)], home)
        self._wait_until(lambda: is_answering(self._socket), "Redis answers")
        self.url = f"http://127.0.0.1:{api_port}"
        processes = compute_api_processes(self._hosts * self._slots) if self._slots else 1
        served = {"REDIS_URL": self._socket, "PORT": str(api_port), "API_PROCESSES": str(processes)}
        for number in range(processes):
            self._start_process(
                "api", [sys.executable, "-m", "sandbox", "serve", "--number", str(number)], home, **served
            )
        for number, (inside, here) in zip(numbers, links, strict=True):
            redis = f"redis://:{word}@{here or '127.0.0.1'}:{port}"
            command = [sys.executable, "-m", "loadtest.empty_worker"]
            if self._slots:
                command = [sys.executable, "-m", "sandbox", "worker", "--slots", str(self._slots)]
            self._start_process(
                "workers", [*inside, *command], home / f"host{number}", REDIS_URL=redis, ENGINE="docker"
            )
        self._wait_until(lambda: count_workers(self.url) == self._hosts * max(self._slots, 1), "all workers are ready")

    def measure(self, workload: Workload, seconds: float) -> Limit:
        side = HttpSide("ours", self.url, SandboxDialect, self._hosts)
        before, bytes_before, machine = self._read_cpu_s(), self._read_redis_bytes(), read_machine_cpu_s()
        sample: Sample = side.run(workload, seconds)
        after, bytes_after = self._read_cpu_s(), self._read_redis_bytes()
        used = {kind: after[kind] - before[kind] for kind in before}
        used |= {"generator": sample.cpu_s["generator"], "machine": read_machine_cpu_s() - machine}
        return Limit(
            workload.name,
            self._hosts,
            sample.rate,
            {kind: 1000 * seconds_used / sample.verdicts for kind, seconds_used in used.items()},
            (bytes_after - bytes_before) / sample.verdicts,
        )

    def _start_process(self, kind: str, command: Sequence[str], home: Path, **settings: str) -> None:
        home.mkdir(exist_ok=True)
        places = [str(Path(__file__).resolve().parent.parent), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
        environment |= {f"SANDBOX_{name}": value for name, value in {**settings, "HOME": str(home)}.items()}
        log = self._stack.enter_context((home / f"{kind}.log").open("ab"))
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._stack.callback(process.wait)
        self._stack.callback(process.terminate)
        self._processes[kind].append(process)

    def _wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not condition():
            ended = [kind for kind, all_of in self._processes.items() for one in all_of if one.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise MeasurementFailed(
                    f"not reached: {what}; ended: {', '.join(ended) or 'nothing'}{self._read_log_tails()}"
                )
            time.sleep(0.05)

    def _read_log_tails(self) -> str:
        return "".join(f"\n{log.stem}: {read_tail(log, LOG_TAIL_LINES)}" for log in sorted(self._home.rglob("*.log")))

    def _read_cpu_s(self) -> dict[str, float]:
        return {kind: sum(read_process_cpu_s(one.pid) for one in all_of) for kind, all_of in self._processes.items()}

    def _read_redis_bytes(self) -> int:
        from redis import Redis

        with Redis.from_url(self._socket) as client:
            stats = client.info("stats")
        return int(stats["total_net_input_bytes"]) + int(stats["total_net_output_bytes"])


@contextmanager
def create_namespace(number: int) -> Iterator[tuple[list[str], str]]:
    """Create a host; yield the command that enters it and this side's address. Both are empty without permission."""
    name, link = f"limits{number}", f"lim{number}"
    here, there = (LINK_ADDRESS.format(host=number, end=end) for end in (1, 2))
    try:
        for words in (
            f"netns add {name}",
            f"link add {link} type veth peer name eth0 netns {name}",
            f"addr add {here}/30 dev {link}",
            f"link set {link} up",
            f"-n {name} addr add {there}/30 dev eth0",
            f"-n {name} link set eth0 up",
            f"-n {name} link set lo up",
        ):
            subprocess.run(["ip", *words.split()], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
        yield [], ""
        return
    try:
        yield ["ip", "netns", "exec", name], here
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def show(limits: Sequence[Limit], console: Console) -> None:
    kinds = ("generator", "api", "redis", "workers")
    table = Table(title="empty boxes: ms of CPU per verdict, and verdicts/s that one core can sustain")
    for title in (
        "workload",
        "hosts",
        "verdicts/s",
        *(f"{kind}\nms" for kind in kinds),
        "api\n/s",
        "redis\n/s",
        "redis\nbytes",
    ):
        table.add_column(title, justify="left" if title == "workload" else "right")
    for limit in limits:
        table.add_row(
            limit.workload,
            str(limit.hosts),
            f"{limit.rate:.0f}",
            *(f"{limit.cpu_ms[kind]:.2f}" for kind in kinds),
            *(f"{limit.compute_capacity(kind):.0f}" for kind in ("api", "redis")),
            f"{limit.redis_bytes:.0f}",
        )
    console.print(table)


def to_json(limits: Sequence[Limit]) -> list[dict[str, Any]]:
    return [asdict(limit) for limit in limits]
