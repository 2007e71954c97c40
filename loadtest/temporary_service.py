"""A temporary service: `sandbox up` with its own home folder and port, and the CPU time of its processes."""

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

import docker
import httpx

from loadtest.load_generator import MeasurementFailed
from sandbox.box.docker.leftovers import HOME_LABEL

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
PR_SET_PDEATHSIG = 1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CGROUPS = Path("/sys/fs/cgroup")
# Where the CPU time of a container is found: cgroup v1, v2 with cgroupfs, v2 with systemd.
CPU_FILES = ("cpuacct/docker/{}/cpuacct.usage", "docker/{}/cpu.stat", "system.slice/docker-{}.scope/cpu.stat")


class TemporaryService:
    """A service that is ready inside the `with` block and leaves nothing behind. `settings` have no prefix."""

    def __init__(self, slots: int, **settings: str) -> None:
        self._slots = slots
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._home = Path()
        self.url = ""
        self.meter = CpuMeter(0, Path())

    def __enter__(self) -> TemporaryService:
        self._home = Path(tempfile.mkdtemp(prefix="bench-"))  # short: a socket path has at most 107 bytes
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
        with self.log.open("wb") as log:
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

    def __exit__(self, *_: object) -> None:
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
    def home(self) -> Path:
        """The home folder of the service, inside the `with` block."""
        return self._home

    @property
    def log(self) -> Path:
        """The log of all processes: one JSON object per line."""
        return self._home / "up.log"

    def _wait_until_ready(self) -> None:
        """Wait for all workers. Raises MeasurementFailed with the end of the log."""
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while count_workers(self.url) < self._slots:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise MeasurementFailed(f"the service did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)


def count_workers(url: str) -> int:
    """Return the number of workers of a service; 0 if it does not answer."""
    try:
        return int(httpx.get(f"{url}/health/ready", timeout=5.0).json().get("workers", 0))
    except (httpx.HTTPError, ValueError):
        return 0


def stop_with_parent() -> None:
    """Ask the kernel, in the child, to stop the service if the benchmark is killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class CpuMeter:
    """Measures the CPU seconds of the processes below `sandbox up` and of the boxes of its home folder."""

    def __init__(self, pid: int, home: Path) -> None:
        self._pid = pid
        self._home = home
        self._boxes: dict[str, float] = {}
        self._client: docker.DockerClient | None = docker.from_env() if pid else None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def read(self) -> dict[str, float]:
        """Return CPU seconds by kind of process. A box that was replaced counts with its last known value."""
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
    """Classify a process by its command line. A Redis server rewrites its own as a single word."""
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


def read_steal_s() -> float:
    """Return the CPU seconds that the hypervisor took from this machine while it had work."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[8]) / TICKS_PER_S


def read_machine_cpu_s() -> float:
    """Return the CPU seconds for which the machine has been busy. This includes processes outside the benchmark."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq = map(int, fields[:7])
    return (user + nice + system + irq + softirq) / TICKS_PER_S
