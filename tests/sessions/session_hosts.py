"""Real session hosts, started and killed by tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from sandbox.box.docker.socket_folder import remove_socket_folders
from sandbox.config import ApiSettings
from sandbox.queue.connection import connect
from sandbox.queue.session_records import list_hosts
from sandbox.schema.sessions import SessionHost

ROOT = Path(__file__).resolve().parents[2]
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0

HostProcess = subprocess.Popen[bytes]


class SessionHosts:
    """Session hosts of one Redis; a context manager that leaves none running."""

    def __init__(self, settings: ApiSettings, **environment: str) -> None:
        self.settings = settings
        self._environment = environment
        self._redis = connect(settings.effective_redis_url)
        self._processes: list[HostProcess] = []
        self.log = settings.home / "session-host.log"

    def __enter__(self) -> SessionHosts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        remove_socket_folders(self.settings.home)  # a host that was killed leaves its own
        self._redis.close()

    def start(self, sessions: int, spares: int = 1, warm: int | None = None, **environment: str) -> HostProcess:
        """Start a host, and return it once it has as many warm boxes as it keeps."""
        known = {host.id for host in self.list_alive()}
        variables = {
            "SANDBOX_HOME": str(self.settings.home),
            "SANDBOX_REDIS_URL": self.settings.effective_redis_url,
            "SANDBOX_SESSIONS": str(sessions),
            "SANDBOX_SESSION_SPARES": str(spares),
            "SANDBOX_LEASE_S": str(self.settings.lease_s),
        }
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "session-host"],
                cwd=ROOT,
                env={**os.environ, **variables, **self._environment, **environment},
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        deadline = time.monotonic() + START_TIMEOUT_S
        wanted = spares if warm is None else warm
        while not any(host.id not in known and host.warm >= wanted for host in self.list_alive()):
            assert process.poll() is None, self.read_log()
            assert time.monotonic() < deadline, self.read_log()
            time.sleep(0.05)
        return process

    def list_alive(self) -> list[SessionHost]:
        return list_hosts(self._redis, self.settings.lease_s)

    def stop(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def read_log(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]
