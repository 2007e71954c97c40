"""Builds of environments on a real engine: once for each host, within limits, and in a cache with a limit."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox.box.docker import environment_build, environment_images
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.engine_client import has_image
from sandbox.box.docker.environment_images import DockerEnvironmentImages, find_tag
from sandbox.box.environment import BuildOutcome, Recipe
from sandbox.config import WorkerSettings
from sandbox.errors import EnvironmentFailed
from tests.environments.conftest import BUILT_IDS


@pytest.fixture(autouse=True)
def label(monkeypatch: pytest.MonkeyPatch) -> None:
    """Separate the cache of these tests from the environments that other tests use at the same time."""
    own = f"sandbox.environment.{uuid.uuid4().hex}"
    for module in (environment_build, environment_images):
        monkeypatch.setattr(module, "ENVIRONMENT_LABEL", own)


class Host:
    """The images of one host, and the outcomes of its builds."""

    def __init__(self, home: Path, **limits: Any) -> None:
        self.builds: list[BuildOutcome] = []
        settings = WorkerSettings(home=home, **limits)
        self.images = DockerEnvironmentImages(settings, lambda outcome, seconds: self.builds.append(outcome))


def make_recipe(apt: tuple[str, ...] = (), size: int = 1) -> Recipe:
    BUILT_IDS.add(content_id := uuid.uuid4().hex)
    return Recipe(content_id, "python", apt=apt, files={"data": bytes(size)})


def has(client: docker.DockerClient, recipe: Recipe) -> bool:
    return has_image(client, find_tag(recipe.image))


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"environment_build_s": 1.0}, "took more than 1 s"), ({"environment_max_mb": 1}, "adds more than 1 MB")],
)
def test_a_build_is_limited(home: Path, images: dict[str, str], limits: dict[str, float], reason: str) -> None:
    assert images
    host = Host(home / uuid.uuid4().hex, **limits)
    recipe = make_recipe(("sl",), size=2_000_000)
    with pytest.raises(EnvironmentFailed, match=reason) as first:
        host.images.ensure(recipe)
    with pytest.raises(EnvironmentFailed) as second:
        host.images.ensure(recipe)
    assert str(second.value) == str(first.value)
    assert host.builds == ["failed"], "a build that just failed is not tried again"


def test_processes_of_a_host_build_once_and_hosts_do_not_wait_for_each_other(
    home: Path, images: dict[str, str]
) -> None:
    assert images
    homes = [home / uuid.uuid4().hex for _ in range(2)]
    hosts = [Host(homes[0]), Host(homes[0]), Host(homes[1])]
    recipe = make_recipe()
    with ThreadPoolExecutor() as pool:
        times = list(pool.map(lambda host: host.images.ensure(recipe), hosts))
    assert min(times) > 0.0
    assert len(hosts[0].builds + hosts[1].builds) == 1
    assert [host.images.ensure(recipe) for host in hosts] == [0.0] * 3


def test_the_cache_keeps_what_was_used_last_and_what_is_in_use(
    home: Path, docker_client: docker.DockerClient, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Host(home / uuid.uuid4().hex, environment_cache_mb=0)
    used, unused, latest = (make_recipe() for _ in range(3))
    for recipe in (used, unused):
        host.images.ensure(recipe)
    assert has(docker_client, used)
    monkeypatch.setattr(environment_images, "MIN_IDLE_S", 0.0)
    box = engine.start(used.image)
    host.images.ensure(latest)
    assert [has(docker_client, each) for each in (used, unused, latest)] == [True, False, True]
    box.destroy()
    docker_client.api.tag(find_tag(used.image), environment_images.REPOSITORY, f"{used.id}-0123456789ab")
    docker_client.api.remove_image(find_tag(used.image))
    environment_images.prune_environments(docker_client)
    assert not docker_client.images.list(f"{environment_images.REPOSITORY}:{used.id}-0123456789ab")
    assert has(docker_client, latest)
    with pytest.raises(EnvironmentFailed, match="removed"):
        engine.start(unused.image)
