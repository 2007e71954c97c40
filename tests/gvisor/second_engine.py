"""A separate Docker engine for the tests that has gVisor's runtime. The machine's own engine is not changed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

RUNTIME = "runsc"
# Programs need no network, and a box needs one Unix socket of the host. ptrace needs no rights that a CI runner lacks.
FLAGS = ("--network=none", "--platform=ptrace", "--host-uds=all")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
PROBE_TIMEOUT_S = 60.0


class GvisorUnavailable(Exception):
    """The reason why gVisor is not available."""


class SecondEngine:
    """A Docker engine with gVisor. Call `start` before use and `close` after; it has images only after `load`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="gvisor-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.host = f"unix://{self._folder}/docker.sock"

    def start(self) -> None:
        """Start the engine. Raises GvisorUnavailable."""
        for program in ("runsc", "dockerd"):
            if shutil.which(program) is None:
                raise GvisorUnavailable(f"{program} is not installed: apt-get install {program}")
        if os.geteuid() != 0:
            raise GvisorUnavailable("a Docker engine needs root")
        wrapper = self._folder / RUNTIME
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("runsc")} {" ".join(FLAGS)} "$@"\n')
        wrapper.chmod(0o755)
        command = [
            *("unshare", "--net", "dockerd"),  # without a bridge, it would delete the bridge of the machine's engine
            *("--data-root", str(self._folder / "data"), "--exec-root", str(self._folder / "exec")),
            *("--pidfile", str(self._folder / "pid"), "--host", self.host),
            *("--bridge=none", "--iptables=false", "--ip-masq=false", "--shutdown-timeout=3"),
            *("--add-runtime", f"{RUNTIME}={wrapper}"),
        ]
        with (self._folder / "dockerd.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_answering():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise GvisorUnavailable(f"the second Docker engine did not start: {self._read_log()}")
            time.sleep(0.1)

    def load(self, tags: Iterable[str]) -> None:
        """Copy images from the machine's engine. Raises GvisorUnavailable."""
        with subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE) as save:
            load = subprocess.run(["docker", "--host", self.host, "load"], stdin=save.stdout, capture_output=True)
        if save.returncode or load.returncode:
            raise GvisorUnavailable(f"cannot copy the images to the second engine: {load.stderr.decode()[-500:]}")

    def probe(self, tag: str) -> None:
        """Run an empty command under gVisor. Raises GvisorUnavailable."""
        command = ["docker", "--host", self.host, "run", "--rm", "--runtime", RUNTIME, "--network=none", tag, "true"]
        try:
            completed = subprocess.run(command, capture_output=True, timeout=PROBE_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise GvisorUnavailable("runsc cannot start a container on this machine") from error
        if completed.returncode:
            raise GvisorUnavailable(f"runsc cannot start on this machine: {completed.stderr.decode()[-500:]}")

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

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
        return (self._folder / "dockerd.log").read_text(errors="replace")[-500:]
