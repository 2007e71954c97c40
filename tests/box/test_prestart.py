"""The isolation level `fresh`: every program gets a new container, usually one that was started in advance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from sandbox import languages
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.box.prestart import PrestartPool
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.errors import EngineUnavailable
from sandbox.queue.submission import Submission
from sandbox.runner.contract import Run, Status
from sandbox.service import Service
from sandbox.worker.slot_boxes import ONE_PROGRAM_PER_BOX
from tests.box.running import run_in
from tests.box.wrapped_engine import LateEngine
from tests.queue.sample_programs import build_program
from tests.queue.submit_and_wait import await_outputs, wait_until
from tests.redis_server import RedisServer
from tests.worker_processes import WorkerProcesses

SLOT = 93
READY = 2


@pytest.fixture
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pool")


@pytest.fixture
def containers(docker_client: docker.DockerClient, own_home: Path) -> Callable[[], set[str]]:
    label = f"{HOME_LABEL}={own_home}"
    return lambda: {each["Id"] for each in docker_client.api.containers(all=True, filters={"label": label})}


@pytest.fixture
def slot(images: dict[str, str], own_home: Path) -> Iterator[Slot]:
    assert images
    pool = PrestartPool(DockerEngine(WorkerSettings(home=own_home), SLOT), READY)
    slot = Slot(pool, ONE_PROGRAM_PER_BOX, 3_600.0)
    yield slot
    slot.close()
    pool.close()


def test_every_program_has_a_container_of_its_own_and_nothing_is_left(
    slot: Slot, containers: Callable[[], set[str]]
) -> None:
    slot.warm("python")
    wait_until(lambda: len(containers()) == 1 + READY, "some are ready")
    uids = set()
    for _ in range(4):
        with slot.lend("python") as box:
            box.load(
                languages.get_language("python").build_program(
                    "import os, socket; print(os.getpid(), open('/tmp/x', 'w').name)"
                )
            )
            outcomes = [box.run(Run()) for _ in range(2)]  # the tests of one program share a box
            assert [each.status for each in outcomes] == [Status.OK, Status.OK]
        uids.add(box.started_at)
    assert len(uids) == 4
    wait_until(lambda: len(containers()) == READY, "used ones are gone, and some are ready")
    slot.close()


def test_closing_leaves_no_container(
    images: dict[str, str], own_home: Path, containers: Callable[[], set[str]]
) -> None:
    pool = PrestartPool(DockerEngine(WorkerSettings(home=own_home), SLOT), READY)
    slot = Slot(pool, ONE_PROGRAM_PER_BOX, 3_600.0)
    with slot.lend("python") as box:
        assert run_in(box, "print(1)").stdout == b"1\n"
    slot.close()
    pool.close()
    assert containers() == set()


def test_a_spare_is_made_as_soon_as_the_first_is_lent(
    images: dict[str, str], own_home: Path, containers: Callable[[], set[str]]
) -> None:
    pool = PrestartPool(DockerEngine(WorkerSettings(home=own_home), SLOT), 1)
    handle = pool.start("python")
    wait_until(lambda: len(containers()) == 2, "a spare waits")
    handle.destroy()
    wait_until(lambda: len(containers()) == 1, "the spare is left")
    pool.close()
    assert containers() == set()


def test_a_failure_to_start_is_reported_to_the_waiting_caller_and_retried(
    images: dict[str, str], own_home: Path
) -> None:
    pool = PrestartPool(LateEngine(DockerEngine(WorkerSettings(home=own_home), SLOT)), 0)
    with pytest.raises(EngineUnavailable, match="not now"):
        pool.start("python")
    handle = pool.start("python")
    handle.destroy()
    handle.destroy()
    pool.close()


def test_a_worker_with_fresh_boxes_serves_and_leaves_nothing(
    images: dict[str, str], redis_server: RedisServer, own_home: Path, containers: Callable[[], set[str]]
) -> None:
    settings = WorkerSettings(home=own_home, redis_url=redis_server.build_url(2))
    service = Service(settings)
    service.start()
    plant = "import os; print(os.path.exists('/tmp/planted')); open('/tmp/planted', 'w')"
    with WorkerProcesses(settings, 160, SANDBOX_ISOLATION="fresh") as worker_processes:
        worker_processes.start()
        began = time.monotonic()
        assert (
            await_outputs(service.submit(Submission("execute", [build_program(plant)] * 6, batch=True)))
            == ["False"] * 6
        )
        assert time.monotonic() - began < 60
    service.close()
    wait_until(lambda: containers() == set(), "no container is left")
