"""Create the engine and the boxes of a worker's slot from the settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sandbox.box import cpu_pinning
from sandbox.box.deferred_engine import DeferredEngine
from sandbox.box.engine import Engine
from sandbox.box.observer import BoxObserver
from sandbox.box.prestart import PrestartPool
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings

ONE_PROGRAM_PER_BOX = 0  # a box has reached its maximum of runs after its first use


def make_engine(settings: WorkerSettings, slot: int) -> Engine:
    """Create the engine that the settings name. Import only its module: other engines' packages may be missing."""
    if settings.engine == "docker":
        from sandbox.box.docker.engine import DockerEngine

        return DockerEngine(settings, slot)
    from sandbox.box.local.engine import LocalEngine

    return LocalEngine(settings, slot)


@contextmanager
def open_slot(settings: WorkerSettings, number: int, observer: BoxObserver, prestarts: bool) -> Iterator[Slot]:
    """Open a slot, and close it with its boxes when the context ends. With `prestarts`, start boxes in advance."""
    engine: Engine = DeferredEngine(lambda: make_engine(settings, number))
    # A local box inherits the CPUs of the worker that starts it.
    pin = cpu_pinning.resolve_pinning(settings.pin, settings.slots)
    if pin == "slots" or (pin == "boxes" and settings.engine == "local"):
        os.sched_setaffinity(0, cpu_pinning.assign_cpus(number, settings.slots))
    ready_count = settings.fresh_ready if settings.isolation == "fresh" else settings.spare_boxes
    if ready_count and prestarts:
        engine = PrestartPool(engine, ready_count)
    max_runs = settings.box_max_runs if settings.isolation == "box" else ONE_PROGRAM_PER_BOX
    slot = Slot(engine, max_runs, settings.box_max_age_s, observer)
    try:
        yield slot
    finally:
        slot.close()
        engine.close()
