"""Redis and the API on one host, `sandbox worker` on others, and a load that checks every answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import httpx
from redis import Redis
from redis.exceptions import RedisError

from sandbox.api.keyring import NewKey, generate_key
from sandbox.box.docker.leftovers import remove_boxes
from sandbox.client import Client
from sandbox.errors import SandboxError
from sandbox.request_context import Role
from sandbox.schema import ExecuteRequest
from tests.hosts.network import Network
from tests.queue.submit_and_wait import wait_until
from tests.redis_server import find_server_binary

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "of-the-test"
LEASE_S = 2.0
TIMEOUT_S = 90.0
BATCH_SIZE = 6

Process = subprocess.Popen[bytes]


class Cluster:
    """A cluster, used as a context manager; `join` starts a worker on a host."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self.key: NewKey = generate_key("test", Role.ADMIN)
        self._stack = ExitStack()
        self._workers: dict[int, Process] = {}

    def __enter__(self) -> Cluster:
        redis = [find_server_binary(), "--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]
        self._start(
            "redis", self.network.build_hub_command(*redis, "--requirepass", PASSWORD, "--dir", str(self.folder))
        )
        self.redis = Redis.from_url(self.build_redis_url(0))
        self._stack.callback(self.redis.close)
        wait_until(self._is_redis_up, "Redis answers", TIMEOUT_S)
        self._start(
            "api",
            self.network.build_hub_command(sys.executable, "-m", "sandbox", "serve"),
            SANDBOX_HOST="0.0.0.0",
            SANDBOX_API_KEYS=self.key.entry,
            SANDBOX_REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:6379/0",
        )
        self.client = self._stack.enter_context(self.open_client())
        wait_until(self._is_api_up, "the API answers", TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in list(self._workers):
            self.drain(host)
        self._stack.close()
        for home in self.folder.glob("host*"):
            remove_boxes(home)

    def build_redis_url(self, host: int) -> str:
        return f"redis://:{PASSWORD}@{self.network.build_address(host)}:6379/0"

    def open_client(self) -> Client:
        return Client(f"http://{self.network.build_address(0)}:8080", api_key=self.key.key)

    def join(self, host: int) -> None:
        """Run exactly what an operator types on a second host."""
        command = [sys.executable, "-m", "sandbox", "worker", "--slots", "1", "--redis", self.build_redis_url(host)]
        self._workers[host] = self._start(f"host{host}", self.network.build_host_command(host, *command), keep=False)
        wait_until(lambda: self.count_results_by_slot(host), f"host {host} has joined", TIMEOUT_S)

    def drain(self, host: int) -> int:
        """Send SIGTERM to a host's worker and return its exit code."""
        worker = self._workers.pop(host)
        worker.send_signal(signal.SIGTERM)
        return worker.wait(TIMEOUT_S)

    def kill(self, host: int) -> None:
        """Kill a host's processes, as in a power failure."""
        worker = self._workers.pop(host)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def count_results_by_slot(self, host: int) -> dict[str, int]:
        """Return the reporting slots of this host, and the number of results of each."""
        parent = self._workers[host].pid
        there = [slot for slot in self.client.live().slots if slot.state != "silent"]
        return {slot.name: slot.done for slot in there if _read_parent(int(slot.name.split("-")[-2])) == parent}

    def count_results(self, host: int) -> int:
        return sum(self.count_results_by_slot(host).values())

    def read_logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in self.folder.glob("*.log")
        )

    def _start(self, name: str, command: list[str], keep: bool = True, **settings: str) -> Process:
        home = self.folder / name
        home.mkdir(exist_ok=True)
        shared = {"SANDBOX_HOME": str(home), "SANDBOX_LEASE_S": str(LEASE_S), "SANDBOX_EXPRESS": "false"}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": str(ROOT), **shared, **settings},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if keep:
            self._stack.callback(_stop, process)
        return process

    def _is_redis_up(self) -> bool:
        try:
            return bool(self.redis.ping())
        except RedisError:
            return False

    def _is_api_up(self) -> bool:
        try:
            return bool(self.client.languages())
        except (SandboxError, httpx.HTTPError):
            return False


class Load:
    """Batches one after another, awaited and durable in turn. Leaving the context asserts all results are right."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stopping = threading.Event()
        self._failures: list[str] = []
        self._expected_by_job: dict[str, str] = {}
        self._number = 0
        self._lock = threading.Lock()
        self.answered = 0
        self._threads = [threading.Thread(target=self._run, args=(kept,)) for kept in (False, False, True)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(2 * TIMEOUT_S)
        if error is not None:
            return
        assert not any(thread.is_alive() for thread in self._threads), self._cluster.read_logs()
        for job_id, expected in self._expected_by_job.items():
            job = self._cluster.client.wait(job_id, TIMEOUT_S)
            assert job.result is not None, self._cluster.read_logs()
            self._check([expected], [job.result["stdout"].strip()])
        assert not self._failures
        assert self.answered > 0

    def _run(self, kept: bool) -> None:
        with self._cluster.open_client() as client:
            while not self._stopping.is_set():
                expected = self._take_numbers()
                programs = [
                    ExecuteRequest(language="python", code=f"import time; time.sleep(0.05); print({number})")
                    for number in expected
                ]
                if kept:
                    for program, number in zip(programs, expected, strict=True):
                        self._expected_by_job[client.submit("execute", program).id] = number
                    self._stopping.wait(0.5)
                else:
                    self._check(expected, [result.stdout.strip() for result in client.execute_batch(programs)])

    def _take_numbers(self) -> list[str]:
        with self._lock:
            self._number += BATCH_SIZE
            return [str(number) for number in range(self._number - BATCH_SIZE, self._number)]

    def _check(self, expected: list[str], printed: list[str]) -> None:
        with self._lock:
            self.answered += len(printed)
            if printed != expected:
                self._failures.append(f"{expected} became {printed}")


def _read_parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _stop(process: Process) -> None:
    process.terminate()
    try:
        process.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_leases(leases: float) -> None:
    time.sleep(leases * LEASE_S)
