"""One small service for all tests here, with log files and a collector for its traces."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.monitoring.collector import Collector, run_collector
from tests.monitoring.observed_service import SETTINGS, run_service


@dataclass(frozen=True, slots=True)
class ObservedService:
    """A running service, and the collector of its traces."""

    url: str
    home: Path
    collector: Collector


@pytest.fixture(scope="session")
def observed(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[ObservedService]:
    assert images
    with tempfile.TemporaryDirectory(prefix="sandbox-seen-") as folder, run_collector() as collector:
        home = Path(folder)
        exporting = {"SANDBOX_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "300"}
        with run_service(home, **SETTINGS, **exporting) as url:
            yield ObservedService(url, home, collector)
