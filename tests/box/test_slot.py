"""When a slot keeps a box, and when it starts a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.leftovers import HOME_LABEL, remove_boxes
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.errors import BoxError, EngineUnavailable
from tests.box.running import run_in

FOREVER = 1_000_000
MakeSlot = Callable[[int, float], Slot]


@pytest.fixture
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("slot")


@pytest.fixture
def own_engine(images: dict[str, str], own_home: Path) -> Iterator[DockerEngine]:
    assert images
    engine = DockerEngine(WorkerSettings(home=own_home), 91)
    yield engine
    engine.close()


@pytest.fixture
def make_slot(own_engine: DockerEngine) -> MakeSlot:
    return lambda max_runs, max_age_s: Slot(own_engine, max_runs, max_age_s)


@pytest.fixture
def boxes(docker_client: docker.DockerClient, own_home: Path) -> Callable[[], set[str]]:
    """Return a function that lists the names of the running containers."""
    label = f"{HOME_LABEL}={own_home}"
    return lambda: {container.name for container in docker_client.containers.list(filters={"label": label})}


def _use(slot: Slot, times: int = 1) -> None:
    with slot.lend("python") as box:
        for _ in range(times):
            assert run_in(box, "print(1)").ended_well


def test_a_box_is_kept_from_program_to_program(make_slot: MakeSlot, boxes: Callable[[], set[str]]) -> None:
    slot = make_slot(FOREVER, FOREVER)
    slot.warm("python")
    before = boxes()
    for _ in range(3):
        _use(slot)
    assert boxes() == before
    assert len(before) == 1


def test_a_box_is_replaced_at_its_run_count(make_slot: MakeSlot, boxes: Callable[[], set[str]]) -> None:
    slot = make_slot(3, FOREVER)
    _use(slot, 2)
    first = boxes()
    assert len(first) == 1
    _use(slot, 1)
    assert boxes() == set()
    _use(slot, 1)
    assert boxes() != first


def test_a_program_with_more_tests_than_the_run_count_keeps_its_box_until_it_is_done(
    make_slot: MakeSlot, boxes: Callable[[], set[str]]
) -> None:
    slot = make_slot(2, FOREVER)
    with slot.lend("python") as box:
        before = boxes()
        for _ in range(5):
            assert run_in(box, "print(1)").ended_well
        assert boxes() == before


def test_a_box_is_replaced_at_its_age(make_slot: MakeSlot, boxes: Callable[[], set[str]]) -> None:
    slot = make_slot(FOREVER, 0.0)
    _use(slot)
    assert boxes() == set()


def test_a_box_whose_use_failed_is_destroyed(make_slot: MakeSlot, boxes: Callable[[], set[str]]) -> None:
    slot = make_slot(FOREVER, FOREVER)
    with pytest.raises(BoxError, match="nonsense"), slot.lend("python"):
        raise BoxError("nonsense")
    assert boxes() == set()
    _use(slot)
    assert len(boxes()) == 1


def test_every_image_has_a_box_of_its_own(make_slot: MakeSlot, boxes: Callable[[], set[str]]) -> None:
    slot = make_slot(FOREVER, FOREVER)
    slot.warm("python")
    slot.warm("cpp")
    assert len(boxes()) == 2
    slot.close()
    assert boxes() == set()


def test_closing_the_engine_takes_down_what_is_still_up(
    own_engine: DockerEngine, boxes: Callable[[], set[str]]
) -> None:
    own_engine.start("python")
    assert len(boxes()) == 1
    own_engine.close()
    assert boxes() == set()


def test_boxes_that_a_home_has_left_can_be_removed(
    own_engine: DockerEngine, own_home: Path, boxes: Callable[[], set[str]]
) -> None:
    left = own_engine.start("python")
    assert remove_boxes(own_home) == 1
    assert boxes() == set()
    left.destroy()


def test_an_image_that_does_not_exist_is_named(make_slot: MakeSlot) -> None:
    with pytest.raises(EngineUnavailable, match="cobol"):
        make_slot(1, 1.0).warm("cobol")


def test_an_image_that_is_removed_is_noticed_when_a_box_does_not_start(
    own_engine: DockerEngine,
    docker_client: docker.DockerClient,
    images: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tag = "sandbox-python:removed-in-a-test"
    docker_client.images.get(images["python"]).tag(*tag.split(":"))
    for module in ("engine.find_tag", "images.compute_image_tag"):
        monkeypatch.setattr(f"sandbox.box.docker.{module}", lambda image: tag)
    assert not own_engine.lacks_image("python")
    docker_client.images.remove(tag)
    with pytest.raises(EngineUnavailable, match="sandbox images build python"):
        own_engine.start("python")
    assert own_engine.lacks_image("python")
