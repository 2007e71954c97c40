"""A separate service to break: `sandbox up` in its own home folder, and a check of what it leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
from docker.models.containers import Container
from redis import Redis

from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.box.docker.socket_folder import get_fallback_folder, get_temporary_folder
from sandbox.processes.api_address import is_ready
from tests.queue.submit_and_wait import wait_until

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 90.0
LEASE_S = 2.0
# Redis keys that an idle service may keep forever: counters and the names of living workers.
PERMANENT_KEY_PREFIXES = (
    "sandbox:workers",
    "sandbox:depth:",
    "sandbox:recent",
    "sandbox:gpu:",
    "rq:queues",
    "rq:worker",
)


class Deployment:
    """Call `start` before use. `stop` returns descriptions of what was left behind."""

    def __init__(self, home: Path, slots: int = 2, docker_host: str = "", **settings: str) -> None:
        self.home = home
        self.root = ROOT
        self.slots = slots
        self.port = _find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SANDBOX_HOME": str(home),
            "SANDBOX_PORT": str(self.port),
            "SANDBOX_SLOTS": str(slots),
            "SANDBOX_LEASE_S": str(LEASE_S),
            **({"DOCKER_HOST": docker_host} if docker_host else {}),
            **{f"SANDBOX_{name.upper()}": value for name, value in settings.items()},
        }
        self._docker = docker.DockerClient(docker_host) if docker_host else docker.from_env()
        self._tree: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.home.with_suffix(".log")

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._tree = subprocess.Popen(
                self.build_command("up"),
                env=self.environment,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(
            lambda: self._tree is None or self._tree.poll() is not None or is_ready(self.url), "ready", START_TIMEOUT_S
        )
        assert self._tree.poll() is None, self.read_log_tail()

    def build_command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "sandbox", *words]

    def read_log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-3_000:]

    def connect_redis(self) -> Redis:
        return Redis.from_url(self.environment.get("SANDBOX_REDIS_URL") or f"unix://{self.home}/redis.sock")

    def find_pids(self, *words: str) -> list[int]:
        """Return the processes of this tree whose command lines contain these words."""
        assert self._tree is not None
        found = []
        for pid, command in _iterate_commands():
            if all(word in command for word in words) and _read_parent(pid) == self._tree.pid:
                found.append(pid)
        return found

    @property
    def worker_pids(self) -> list[int]:
        return self.find_pids("worker-slot")

    @property
    def api_pid(self) -> int:
        return self.find_pids("sandbox serve")[0]

    @property
    def redis_pid(self) -> int:
        return self.find_pids("redis.sock")[0]

    def list_boxes(self) -> list[Container]:
        label = {"label": f"{HOME_LABEL}={self.home}"}
        found: list[Container] = self._docker.containers.list(all=True, filters=label, ignore_removed=True)
        return found

    def find_leaked_keys(self) -> list[str]:
        """Return the Redis keys that would never be removed. Call this when no work is left."""
        with self.connect_redis() as redis:
            return [
                key.decode()
                for key in redis.scan_iter()
                if not key.decode().startswith(PERMANENT_KEY_PREFIXES) and redis.ttl(key) == -1
            ]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> list[str]:
        """Stop the tree and return what is left of it."""
        if self._tree is None:
            return []
        self._tree.send_signal(number)
        self._tree.wait(STOP_TIMEOUT_S)
        self._tree = None
        with suppress(AssertionError):
            wait_until(lambda: not self.find_leftovers(), "nothing is left behind", 20.0)
        leftovers = self.find_leftovers()
        self._docker.close()
        return leftovers

    def find_leftovers(self) -> list[str]:
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        inside = [line for line in mounts if f" {self.home}/" in line]
        # Every process of the service has the home folder in its environment or its command line.
        processes = [f"process {pid}: {text[:120]}" for pid, text in _iterate_environments() if str(self.home) in text]
        places = (get_fallback_folder(self.home), get_temporary_folder(self.home))
        folders = [str(path) for place in places if place.is_dir() for path in place.iterdir()]
        return [*(f"container {box.name}" for box in self.list_boxes()), *inside, *processes, *folders]


@contextmanager
def run_deployment(
    slots: int = 2, docker_host: str = "", home: Path | None = None, **settings: str
) -> Iterator[Deployment]:
    """Run a service, which is always stopped afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    deployment = Deployment(folder / "home" if home is None else home, slots, docker_host, **settings)
    deployment.home.mkdir(exist_ok=True)
    try:
        deployment.start()
        yield deployment
    finally:
        with suppress(subprocess.TimeoutExpired):
            deployment.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _iterate_commands() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                yield int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def _iterate_environments() -> Iterator[tuple[int, str]]:
    me = os.getpid()
    for pid, command in _iterate_commands():
        if pid == me:
            continue
        with suppress(OSError):
            environment = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
            yield pid, command + " " + environment


def _read_parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def find_descendants(pid: int) -> list[int]:
    """Return the children of a process, then their children, and so on."""
    parents: Mapping[int, int] = {each: _read_parent(each) for each, _ in _iterate_commands()}
    found, level = [], [pid]
    while level:
        level = [each for each, parent in parents.items() if parent in level]
        found += level
    return found


def wait_until_gone(pid: int, timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, f"process {pid} does not end"
        time.sleep(0.02)
