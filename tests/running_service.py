"""A service that runs for a while, with or without worker processes behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.config import QueueSettings
from sandbox.service import Service
from tests.worker_processes import FIRST_SLOT, WorkerProcesses


@contextmanager
def run_service(settings: QueueSettings) -> Iterator[Service]:
    """Start a service, and close it at the end."""
    service = Service(settings)
    service.start()
    try:
        yield service
    finally:
        service.close()


@contextmanager
def run_service_with_workers(
    settings: QueueSettings, count: int = 1, first_slot: int = FIRST_SLOT, **environment: str
) -> Iterator[Service]:
    """Start workers and then a service, and stop both at the end."""
    with WorkerProcesses(settings, first_slot, **environment) as worker_processes:
        worker_processes.start(count)
        with run_service(settings) as service:
            yield service
