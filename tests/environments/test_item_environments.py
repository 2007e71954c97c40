"""Workers prepare the environment of an item, and help with an item only in its environment."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import pytest
from docker.errors import ImageNotFound
from redis import Redis

from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.engine_client import has_image
from sandbox.box.docker.environment_images import DockerEnvironmentImages, find_tag
from sandbox.box.environment import EnvironmentBusy
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.queue.activity import WorkerActivity
from sandbox.queue.environments import Environments
from sandbox.queue.job_batch import Item
from sandbox.queue.offers import Offer
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase, VerifyRequest
from sandbox.schema.environments import EnvironmentRequest
from sandbox.worker.environments import ItemEnvironments
from sandbox.worker.execute import execute_item
from sandbox.worker.idle_help import IdleHelp
from sandbox.worker.item_trace import ItemTracer
from tests.redis_server import RedisServer

FOREVER = 1_000_000
ANSWERS = 3


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.open_empty_database(11) as redis:
        yield redis


@pytest.fixture
def slot(images: dict[str, str], tmp_path: Path) -> Iterator[Slot]:
    assert images
    engine = DockerEngine(WorkerSettings(home=tmp_path), 95)
    slot = Slot(engine, FOREVER, FOREVER)
    yield slot
    slot.close()
    engine.close()


@pytest.fixture
def environments(redis: Redis, slot: Slot, tmp_path: Path) -> ItemEnvironments:
    return ItemEnvironments(redis, DockerEnvironmentImages(WorkerSettings(home=tmp_path)), slot)


@pytest.fixture
def definition(redis: Redis) -> EnvironmentRequest:
    """An environment whose image no host has."""
    definition = EnvironmentRequest(files={"nonce": uuid.uuid4().bytes})
    Environments(redis, FOREVER).put("mine", definition)
    return definition


@pytest.fixture
def item(definition: EnvironmentRequest) -> Item:
    reference = f"mine@{definition.compute_id()}"
    tests = [TestCase(stdin=str(number), expected=str(number)) for number in range(ANSWERS)]
    request = VerifyRequest(language="python", code="print(input())", tests=tests, environment=reference)
    return Item(submission="s", submitted_at=0.0, verify=request)


@pytest.fixture
def image(definition: EnvironmentRequest, images: dict[str, str], docker_client: docker.DockerClient) -> Iterator[str]:
    """The image of the environment: a standard one under another name."""
    image = f"python+{definition.compute_id()}"
    repository, _, version = find_tag(image).partition(":")
    docker_client.api.tag(images["python"], repository, version)
    yield image
    with suppress(ImageNotFound):
        docker_client.api.remove_image(find_tag(image))


@pytest.fixture
def helper(redis: Redis, slot: Slot, environments: ItemEnvironments) -> IdleHelp:
    return IdleHelp(redis, "helper", slot, environments, ItemTracer(), WorkerActivity(redis, "helper"))


def test_a_helper_runs_tests_in_the_environment_of_the_item(
    redis: Redis, slot: Slot, item: Item, image: str, helper: IdleHelp
) -> None:
    offer = Offer.publish(redis, item, range(ANSWERS))
    helper.help(offer.id)
    taken = offer.take("owner", ANSWERS)
    assert taken is not None
    assert [result.verdict for result in taken.results.values()] == [Verdict.ACCEPTED] * ANSWERS
    assert (taken.tests, slot.list_box_keys(), slot.environment) == ([], [image], "")


def test_a_host_without_the_environment_builds_nothing_and_leaves_the_tests_to_others(
    redis: Redis,
    slot: Slot,
    item: Item,
    definition: EnvironmentRequest,
    helper: IdleHelp,
    docker_client: docker.DockerClient,
) -> None:
    offer = Offer.publish(redis, item, range(ANSWERS))
    helper.help(offer.id)
    assert slot.list_box_keys() == []
    assert not has_image(docker_client, find_tag(f"python+{definition.compute_id()}"))
    assert offer.take_as_helper("another helper", 1, {}) == [0]
    taken = offer.take("owner", ANSWERS)
    assert taken is not None
    assert (taken.tests, taken.results) == ([1, 2], {})


def test_an_engine_that_does_not_answer_is_not_a_failed_environment(
    slot: Slot, item: Item, image: str, environments: ItemEnvironments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    with environments.use(item):
        assert execute_item(item, slot).verdict == Verdict.ACCEPTED
    assert slot.list_box_keys() == [image]


def test_an_item_whose_image_was_removed_runs_later(
    slot: Slot, item: Item, image: str, environments: ItemEnvironments, docker_client: docker.DockerClient
) -> None:
    with environments.use(item):
        assert slot.environment == image
    docker_client.api.remove_image(find_tag(image))
    with pytest.raises(EnvironmentBusy), environments.use(item):
        execute_item(item, slot)
    with pytest.raises(EnvironmentBusy), environments.use(item, may_build=False):
        pytest.fail("the host still looks as if it had the image")
