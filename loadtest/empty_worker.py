"""A worker with empty boxes: it takes, judges and answers batches like any other worker, but runs no programs.

It measures the queue itself: the throughput of one API process and one Redis.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sandbox.box.engine import BoxHandle
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.errors import EngineUnavailable
from sandbox.queue.connection import connect
from sandbox.runner.contract import Outcome, Program, Run, Status
from sandbox.worker.item_trace import ItemTracer
from sandbox.worker.worker import SlotWorker


class EmptyBox:
    """A box in which every program succeeds and prints nothing."""

    tag = ""

    def load(self, program: Program) -> Outcome | None:
        return None

    def run(self, run: Run) -> Outcome:
        return Outcome(Status.OK, exit_code=0)


class EmptySlot(Slot):
    @contextmanager
    def _lend(self, box_key: str, image: str) -> Iterator[Any]:
        yield EmptyBox()


class NoEngine:
    """An engine that starts nothing."""

    def start(self, image: str) -> BoxHandle:
        raise EngineUnavailable("an empty slot has no boxes")

    def lacks_image(self, image: str) -> bool:
        return False

    def lacks(self, tool: str) -> bool:
        return False

    def list_missing_isolation(self) -> list[str]:
        return []

    def close(self) -> None:
        return


def main() -> int:
    settings = WorkerSettings()
    name = f"{socket.gethostname()}-{os.getpid()}-empty"
    slot = EmptySlot(NoEngine(), settings.box_max_runs, settings.box_max_age_s)
    redis = connect(settings.effective_redis_url)
    SlotWorker(settings, slot, redis, name, ItemTracer()).work()
    return 0


if __name__ == "__main__":
    sys.exit(main())
