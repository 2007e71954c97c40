"""How a slot and the pool of started boxes treat environments. The images are standard ones under other names."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from sandbox.box import prestart
from sandbox.box import slot as slots
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.environment_images import find_tag
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.box.environment import EnvironmentBusy
from sandbox.box.prestart import PrestartPool
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.languages import get_language
from sandbox.worker.retry import run_with_retries
from tests.box.running import run_in
from tests.queue.submit_and_wait import wait_until

FOREVER = 1_000_000


@pytest.fixture
def environments(images: dict[str, str], docker_client: docker.DockerClient) -> Iterator[list[str]]:
    """One environment more than a slot keeps warm."""
    found = [f"python+{uuid.uuid4().hex}" for _ in range(slots.MAX_ENVIRONMENTS + 1)]
    for image in found:
        repository, _, version = find_tag(image).partition(":")
        docker_client.api.tag(images["python"], repository, version)
    yield found
    for image in found:
        docker_client.api.remove_image(find_tag(image))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def slot(images: dict[str, str], home: Path) -> Iterator[Slot]:
    assert images
    pool = PrestartPool(DockerEngine(WorkerSettings(home=home), 94), 1)
    slot = Slot(pool, FOREVER, FOREVER)
    yield slot
    slot.close()
    pool.close()


@pytest.fixture
def count_boxes(docker_client: docker.DockerClient, home: Path) -> Callable[[], int]:
    filters = {"label": f"{HOME_LABEL}={home}"}
    return lambda: len(docker_client.api.containers(filters=filters))


def _use(slot: Slot, environment: str) -> None:
    slot.environment = environment
    try:
        with slot.lend("python") as box:
            assert run_in(box, "print(1)").ended_well
    finally:
        slot.leave_environment()


def test_a_slot_keeps_the_boxes_of_the_environments_that_were_used_last(
    slot: Slot, environments: list[str], count_boxes: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _use(slot, "")
    for environment in [*environments[:-1], environments[0], environments[-1]]:
        _use(slot, environment)
    kept = [environments[0], *environments[2:]]
    assert slot.list_box_keys() == sorted(["python", *kept])
    # The pool starts boxes in advance for the standard image and for the environments that were requested last.
    wait_until(lambda: count_boxes() == 1 + len(kept) + 1 + prestart.MAX_ENVIRONMENTS, "the pool is full")
    slot.close_idle_environments()
    assert len(slot.list_box_keys()) == 1 + len(kept)
    monkeypatch.setattr(slots, "ENVIRONMENT_IDLE_S", 0.0)
    slot.close_idle_environments()
    assert slot.list_box_keys() == ["python"]


def test_an_environment_takes_the_place_of_its_base_image_only(slot: Slot, environments: list[str]) -> None:
    slot.environment = environments[0]
    with slot.lend_secondary("python", "test"), slot.lend("cpp"):
        assert slot.list_box_keys() == ["cpp", f"{environments[0]} test"]


def test_a_program_whose_image_is_gone_runs_later_and_the_slot_stays_healthy(slot: Slot) -> None:
    slot.environment = f"python+{uuid.uuid4().hex}"
    with pytest.raises(EnvironmentBusy):
        run_with_retries(slot, get_language("python"), lambda box: None)
    assert slot.waits == {}
    slot.leave_environment()
    _use(slot, "")
