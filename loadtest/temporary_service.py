"""A service of the benchmark's own: `sandbox up` on a private home folder and port, and the CPU its processes use."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import docker
import httpx

from loadtest.load_generator import MeasurementFailed
from sandbox.box.docker.engine import HOME_LABEL

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
PR_SET_PDEATHSIG = 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CGROUPS = Path("/sys/fs/cgroup")
# Where a container's CPU time stands: cgroup v1, v2 with cgroupfs, v2 with systemd.
CPU_FILES = ("cpuacct/docker/{}/cpuacct.usage", "docker/{}/cpu.stat", "system.slice/docker-{}.scope/cpu.stat")


class TemporaryService:
    """A context manager: up and ready inside, nothing left after it. `settings` are named without their prefix."""

    def __init__(self, slots: int, **settings: str) -> None:
        self._slots = slots
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._home = Path()
        self.url = ""
        self.meter = CpuMeter(0, Path())

    def __enter__(self) -> TemporaryService:
        self._home = Path(tempfile.mkdtemp(prefix="bench-"))  # short, for a socket's path has at most 107 bytes
        port = find_free_port()
        self.url = f"http://127.0.0.1:{port}"
        settings = self._settings | {
            "HOME": self._home,
            "PORT": port,
            "SLOTS": self._slots,
            "REDIS_URL": "",
            "ENGINE": "docker",
        }
        environment = {**os.environ, **{f"SANDBOX_{name}": str(value) for name, value in settings.items()}}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "up"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=stop_with_parent,
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        self.meter = CpuMeter(self._process.pid, self._home)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.meter.close()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self._home / "up.log"

    def _wait_until_ready(self) -> None:
        """All workers there. Raises Unanswered with the end of the log."""
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while count_workers(self.url) < self._slots:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise MeasurementFailed(f"the service did not start:\n{self._log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)


def count_workers(url: str) -> int:
    """How many workers a service has; 0 where it does not answer."""
    try:
        return int(httpx.get(f"{url}/health/ready", timeout=5.0).json().get("workers", 0))
    except (httpx.HTTPError, ValueError):
        return 0


def stop_with_parent() -> None:
    """In the child: should the benchmark be killed, the kernel stops the service."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class CpuMeter:
    """CPU seconds so far of the processes below `sandbox up`, and of the boxes of its home folder."""

    def __init__(self, pid: int, home: Path) -> None:
        self._pid = pid
        self._home = home
        self._boxes: dict[str, float] = {}
        self._client: docker.DockerClient | None = docker.from_env() if pid else None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def read(self) -> dict[str, float]:
        """By kind of process. A box that was replaced keeps the time it was last seen with."""
        if self._client is None:
            return {}
        used = dict.fromkeys(["api", "redis", "workers"], 0.0)
        for pid in iterate_descendants(self._pid):
            kind = classify_process(read_command_line(pid))
            if kind is not None:
                used[kind] += read_process_cpu_s(pid)
        for container in self._client.api.containers(filters={"label": f"{HOME_LABEL}={self._home}"}):
            seen = read_container_cpu_s(container["Id"])
            if seen is not None:
                self._boxes[container["Id"]] = seen
        used["boxes"] = sum(self._boxes.values())
        return used


def iterate_descendants(pid: int) -> Iterator[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from iterate_descendants(child)


def read_command_line(pid: int) -> Sequence[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ()


def classify_process(words: Sequence[str]) -> str | None:
    """Which of our processes a command line is; a Redis server has rewritten its own as one word."""
    if "worker-slot" in words:
        return "workers"
    if "serve" in words:
        return "api"
    return "redis" if words and "-server" in words[0] else None


def read_process_cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def read_container_cpu_s(container_id: str) -> float | None:
    for pattern in CPU_FILES:
        try:
            text = (CGROUPS / pattern.format(container_id)).read_text()
        except OSError:
            continue
        if text[:1].isdigit():
            return int(text) / 1e9
        return int(text.split("usage_usec", 1)[1].split()[0]) / 1e6
    return None


def read_machine_cpu_s() -> float:
    """CPU seconds the whole machine was busy so far; what runs beside the benchmark shows in it."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / TICKS_PER_S
