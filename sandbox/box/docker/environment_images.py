"""The images of environments on one host: each is built once, and those unused the longest are removed.

An image's tag names the environment's content and the base image it was built from, so a new version of a base image
gives a new image. All processes of a host share the images. A lock file lets only one of them build an image. The
engine records when an image was last tagged; tagging it again records its use.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from sandbox.box.docker.engine_client import ENGINE_ERRORS, has_image, open_engine_client, translate_engine_errors
from sandbox.box.docker.environment_build import ENVIRONMENT_LABEL, MB, build_environment
from sandbox.box.docker.images import IMAGES, ON_DEMAND_IMAGES, compute_image_tag
from sandbox.box.environment import SEPARATOR, BuildObserver, BuildOutcome, EnvironmentBusy, Recipe, ignore_build
from sandbox.config import WorkerSettings
from sandbox.errors import EnvironmentFailed

logger = logging.getLogger(__name__)

REPOSITORY = "sandbox-environment"
RETRY_FAILED_AFTER_S = 30.0
MIN_IDLE_S = 60.0  # an image that was used more recently may be needed for a box that is about to start


def find_tag(image: str) -> str:
    """Return the full name of an image or of an environment's image in the engine. Raises EngineUnavailable."""
    base, _, content_id = image.partition(SEPARATOR)
    tag = compute_image_tag(base)
    return f"{REPOSITORY}:{content_id}-{tag.partition(':')[2]}" if content_id else tag


class DockerEnvironmentImages:
    """Implements `EnvironmentImages` with a Docker engine. `on_build` is called after each build."""

    def __init__(self, settings: WorkerSettings, on_build: BuildObserver = ignore_build) -> None:
        self._settings = settings
        self._on_build = on_build
        self._folder = settings.home / "environments"

    def ensure(self, recipe: Recipe, wait: bool = True) -> float:
        began = time.monotonic()
        tag = find_tag(recipe.image)
        with open_engine_client() as client:
            if _record_use(client, tag):
                return 0.0
            with self._lock(tag, wait):
                if not _record_use(client, tag):
                    self._build(client, recipe, tag)
        return time.monotonic() - began

    def has(self, recipe: Recipe) -> bool:
        with open_engine_client() as client:
            return _record_use(client, find_tag(recipe.image))

    def _build(self, client: docker.DockerClient, recipe: Recipe, tag: str) -> None:
        base_tag = compute_image_tag(recipe.base)
        failed = self._folder / f"{tag.partition(':')[2]}.failed"
        with suppress(FileNotFoundError):
            if time.time() - failed.stat().st_mtime < RETRY_FAILED_AFTER_S:
                raise EnvironmentFailed(failed.read_text(errors="replace"))
        if not has_image(client, base_tag):
            raise EnvironmentFailed(f"the base image is missing: run `sandbox images build {recipe.base}` on the host")
        logger.info("building an environment", extra={"environment": recipe.id, "image": tag})
        began = time.monotonic()
        try:
            build_environment(client, recipe, base_tag, tag, self._settings)
        except (EnvironmentFailed, *ENGINE_ERRORS) as error:
            self._report("failed", recipe, began)
            failure = (
                error
                if isinstance(error, EnvironmentFailed)
                else EnvironmentFailed(f"the environment was not built: {error}")
            )
            failed.write_text(str(failure))
            raise failure from error
        self._report("built", recipe, began)
        self._evict(client, keep=tag)

    def _report(self, outcome: BuildOutcome, recipe: Recipe, began: float) -> None:
        seconds = time.monotonic() - began
        fields = {"environment": recipe.id, "seconds": round(seconds, 3)}
        logger.log(logging.INFO if outcome == "built" else logging.WARNING, "environment %s", outcome, extra=fields)
        self._on_build(outcome, seconds)

    def _evict(self, client: docker.DockerClient, keep: str) -> None:
        """Remove the images that were unused the longest, until the others fit into the cache."""
        with suppress(*ENGINE_ERRORS):
            images = [_CachedImage(client, found) for found in _list_images(client)]
            used_bytes = sum(image.size_bytes for image in images)
            for image in sorted(images, key=lambda image: image.used_at):
                if time.time() - image.used_at < MIN_IDLE_S or used_bytes <= self._settings.environment_cache_mb * MB:
                    return
                if keep not in image.tags and _remove(client, image.id):
                    used_bytes -= image.size_bytes
                    logger.info("environment removed from the cache", extra={"image": ", ".join(image.tags)})

    @contextmanager
    def _lock(self, tag: str, wait: bool) -> Iterator[None]:
        """Let only one process of this host build an image. The kernel releases the lock if a process dies.

        Raises EnvironmentBusy if another process holds the lock, unless `wait` is set.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path: Path = self._folder / f"{tag.partition(':')[2]}.lock"
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise EnvironmentBusy from None
            yield
        finally:
            os.close(descriptor)


class _CachedImage:
    """An image of an environment: its size without its base, and when it was last used."""

    def __init__(self, client: docker.DockerClient, found: dict[str, Any]) -> None:
        self.id: str = found["Id"]
        details = client.api.inspect_image(self.id)
        self.tags: list[str] = details["RepoTags"] or []
        self.used_at = _parse_time(details["Metadata"]["LastTagTime"])
        layers = client.api.history(self.id)
        self.size_bytes = int(layers[0]["Size"])  # a commit adds one layer


def _parse_time(text: str) -> float:
    """Return a time of the engine in seconds since the epoch. Its fraction of a second is ignored."""
    whole, _, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    return datetime.fromisoformat(whole + zone.replace("Z", "+00:00")).timestamp()


def _list_images(client: docker.DockerClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.api.images(filters={"label": ENVIRONMENT_LABEL})
    return found


def _record_use(client: docker.DockerClient, tag: str) -> bool:
    """Record that an image is used now. Returns False if it does not exist."""
    repository, _, version = tag.partition(":")
    try:
        client.api.tag(tag, repository, version)
    except (ImageNotFound, NotFound):
        return False
    return True


def _remove(client: docker.DockerClient, image_id: str) -> bool:
    """Remove an image. Returns False if a container uses it."""
    try:
        client.api.remove_image(image_id)
    except NotFound:
        return True
    except APIError as error:
        if error.status_code == 409:
            return False
        raise
    return True


def prune_environments(client: docker.DockerClient) -> int:
    """Remove the unused images of environments that extend older builds of the standard images; return their number.

    Raises EngineUnavailable.
    """
    current = {compute_image_tag(name).partition(":")[2] for name in (*IMAGES, *ON_DEMAND_IMAGES)}
    with translate_engine_errors("remove images of environments"):
        outdated = [
            found["Id"]
            for found in _list_images(client)
            if not any(tag.rpartition("-")[2] in current for tag in found["RepoTags"] or ())
        ]
        return sum(_remove(client, image_id) for image_id in outdated)
