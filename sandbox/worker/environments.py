"""Prepare the environment of an item: make sure that this host has its image, and let the slot use it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from sandbox.box.environment import EnvironmentBusy, EnvironmentImages
from sandbox.box.slot import Slot
from sandbox.errors import EngineUnavailable, EnvironmentFailed
from sandbox.queue.environments import EXPIRED, build_recipe, read_definition
from sandbox.queue.job_batch import Item

logger = logging.getLogger(__name__)

MAX_REMEMBERED = 1_000
CHECKED_FOR_S = 5.0  # the engine is not asked again; it keeps an image for longer after each use


class ItemEnvironments:
    """Prepares the environments of a worker's items."""

    def __init__(self, redis: Redis, images: EnvironmentImages, slot: Slot) -> None:
        self._redis = redis
        self._images = images
        self._slot = slot
        self._prepared: dict[str, tuple[str, float]] = {}  # the image of each reference, and when it was there

    @contextmanager
    def use(self, item: Item, may_build: bool = True) -> Iterator[None]:
        """Run the item of the `with` block in its environment.

        If the environment cannot be built, the slot raises EnvironmentFailed instead of lending a box. Raises
        EnvironmentBusy if another worker builds it, so that a build occupies only one slot; if its image was removed
        before a box started; or, without `may_build`, if this host does not have its image.
        """
        work = item.work
        if work is None or not work.environment:
            yield
            return
        slot = self._slot
        try:
            try:
                self._prepare(work.environment, may_build)
            except EnvironmentFailed as error:
                slot.environment_failure = str(error)
            yield
        except EnvironmentBusy:
            self._prepared.pop(work.environment, None)
            raise
        finally:
            slot.leave_environment()

    def _prepare(self, reference: str, may_build: bool) -> None:
        slot = self._slot
        image, checked_at = self._prepared.get(reference, ("", float("-inf")))
        if time.monotonic() - checked_at > CHECKED_FOR_S and image not in slot.list_box_keys():
            definition = read_definition(self._redis, reference)
            if definition is None:
                raise EnvironmentFailed(EXPIRED)
            recipe = build_recipe(definition)
            image = recipe.image
            try:
                if may_build:
                    slot.image_time_s = self._images.ensure(recipe, wait=False)
                elif not self._images.has(recipe):
                    raise EnvironmentBusy
            except EngineUnavailable as error:  # starting the box waits for the engine, as for any other image
                logger.warning("cannot look for the image of an environment: %s", error)
            else:
                self._remember(reference, image)
        slot.environment = image

    def _remember(self, reference: str, image: str) -> None:
        if len(self._prepared) >= MAX_REMEMBERED:
            self._prepared.clear()
        self._prepared[reference] = image, time.monotonic()
