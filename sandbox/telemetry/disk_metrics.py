"""The metrics of the disk that holds the Docker engine's data. A scrape measures the home directory's disk itself."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from sandbox.errors import EngineUnavailable
from sandbox.queue.repeating_thread import RepeatingThread
from sandbox.telemetry import definitions
from sandbox.telemetry.registry import MetricsRegistry

logger = logging.getLogger(__name__)

INTERVAL_S = 30.0


class EngineDisk:
    """Measures the engine's disk. One worker of a host runs it.

    `find_folder` returns the folder of the engine's data. It may raise EngineUnavailable.
    """

    def __init__(self, registry: MetricsRegistry, find_folder: Callable[[], Path]) -> None:
        self._registry = registry
        self._find_folder = find_folder
        self._folder: Path | None = None

    def start(self) -> None:
        """Measure every 30 seconds, in a thread that ends with the process."""
        RepeatingThread("engine-disk", INTERVAL_S, self.measure, "cannot measure the engine's disk").start()

    def measure(self) -> None:
        """Set the metrics. Without an engine, or if its folder is not on this machine, they keep their values."""
        try:
            self._folder = self._folder or self._find_folder()
            usage = shutil.disk_usage(self._folder)
        except (EngineUnavailable, OSError) as error:
            logger.debug("cannot measure the engine's disk: %s", error)
            return
        for state, size in (("total", usage.total), ("free", usage.free)):
            self._registry.gauge(definitions.DISK, "engine", state).set(size)
