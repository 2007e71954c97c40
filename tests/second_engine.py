"""A separate Docker engine for tests, in a network namespace of its own. The machine's own engine is not changed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


class EngineMissing(Exception):
    """The reason why there is no separate engine."""


class SecondEngine:
    """A Docker engine. Call `start` before use and `close` after; it has images only after `load`."""

    programs: tuple[str, ...] = ("dockerd",)

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.host = f"unix://{self.folder}/docker.sock"

    def start(self, *options: str) -> None:
        """Start the engine, and return when it answers. Raises EngineMissing."""
        for program in self.programs:
            if shutil.which(program) is None:
                raise EngineMissing(f"{program} is not installed: apt-get install {program}")
        if os.geteuid() != 0:
            raise EngineMissing("a Docker engine needs root")
        command = [
            *("unshare", "--net", "dockerd"),  # without a bridge, it would delete the bridge of the machine's engine
            *("--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec")),
            *("--pidfile", str(self.folder / "pid"), "--host", self.host),
            *("--bridge=none", "--iptables=false", "--ip-masq=false", "--shutdown-timeout=3"),
            *options,
        ]
        with (self.folder / "dockerd.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_answering():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EngineMissing(f"the second Docker engine did not start: {self._read_log()}")
            time.sleep(0.1)

    def load(self, tags: Iterable[str]) -> None:
        """Copy images from the machine's engine. Raises EngineMissing."""
        with subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE) as save:
            load = subprocess.run(["docker", "--host", self.host, "load"], stdin=save.stdout, capture_output=True)
        if save.returncode or load.returncode:
            raise EngineMissing(f"cannot copy the images to the second engine: {load.stderr.decode()[-500:]}")

    def run_docker(self, *arguments: str) -> str:
        """Run a command of `docker` with this engine, and return its output. Raises CalledProcessError."""
        command = ["docker", "--host", self.host, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _is_answering(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.settimeout(5.0)
                connection.connect(self.host.removeprefix("unix://"))
                connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 " in connection.recv(64)
            except OSError:
                return False

    def _read_log(self) -> str:
        return (self.folder / "dockerd.log").read_text(errors="replace")[-500:]
