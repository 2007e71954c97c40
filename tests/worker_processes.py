"""Real worker processes, hired and dismissed by tests."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sandbox.box.docker.socket_folder import get_temporary_folder
from sandbox.config import QueueSettings
from sandbox.queue import leases
from sandbox.queue.connection import connect
from sandbox.schema import Lane
from tests.child_processes import stop_processes

ROOT = Path(__file__).resolve().parent.parent
FIRST_SLOT = 100  # away from the slots of a service that runs on the same machine
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
COMMAND = (
    "import sys; from sandbox.config import WorkerSettings; from sandbox.worker.worker import main; "
    "from sandbox.schema import Lane; "
    "sys.exit(main(WorkerSettings(), {slot}, reserved_lanes=[Lane(lane) for lane in {reserved_lanes!r}]))"
)

Worker = subprocess.Popen[bytes]


class WorkerProcesses:
    """Workers of one queue; a context manager that leaves none behind."""

    def __init__(self, settings: QueueSettings, first_slot: int = FIRST_SLOT, **environment: str) -> None:
        self._settings = settings
        self._environment = environment
        self._next_slot = first_slot
        self._workers: list[Worker] = []
        self._redis = connect(settings.effective_redis_url)
        self.prelude = ""  # Python that runs in each worker first, ends with a semicolon

    def __enter__(self) -> WorkerProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        with suppress(OSError):  # it has folders of boxes that other workers start
            get_temporary_folder(self._settings.home).rmdir()
        self._redis.close()

    def start(self, number: int = 1, reserved_lanes: Sequence[Lane] = ()) -> list[Worker]:
        """Start workers, and come back when all of them can take work."""
        alive_before = set(self._list_alive())
        started = [self._start_one(reserved_lanes) for _ in range(number)]
        deadline = time.monotonic() + START_TIMEOUT_S
        while len(set(self._list_alive()) - alive_before) < number:
            assert all(worker.poll() is None for worker in started), self.read_log()
            assert time.monotonic() < deadline, self.read_log()
            time.sleep(0.05)
        return started

    def stop(self) -> None:
        """Stop those that still run, politely, and then not."""
        stop_processes(self._workers, STOP_TIMEOUT_S)
        self._workers.clear()

    def read_log(self) -> str:
        """What the workers have said, the end of it."""
        return self._log_file.read_text(errors="replace")[-4000:]

    @property
    def _log_file(self) -> Path:
        return self._settings.home / "workers.log"

    def _list_alive(self) -> list[str]:
        return leases.list_alive(self._redis, self._settings.lease_s)

    def _start_one(self, reserved_lanes: Sequence[Lane]) -> Worker:
        environment = {
            "SANDBOX_SPARE_BOXES": "0",
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SANDBOX_HOME": str(self._settings.home),
            "SANDBOX_REDIS_URL": self._settings.effective_redis_url,
            **self._environment,
        }
        with self._log_file.open("ab") as log:
            worker = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    self.prelude + COMMAND.format(reserved_lanes=list(map(str, reserved_lanes)), slot=self._next_slot),
                ],
                env=environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._next_slot += 1
        self._workers.append(worker)
        return worker
