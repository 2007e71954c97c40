"""Prepare the environment of an item: make sure that this host has its image, and let the slot use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from sandbox.box.environment import EnvironmentImages
from sandbox.box.slot import Slot
from sandbox.errors import EnvironmentFailed, InfrastructureError
from sandbox.queue.environments import EXPIRED, build_recipe, read_definition
from sandbox.queue.job_batch import Item
from sandbox.schema.hack import HackRequest

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
    def use(self, item: Item) -> Iterator[None]:
        """Run the item of the `with` block in its environment.

        If the environment cannot be built, the slot raises EnvironmentFailed instead of lending a box. Raises
        EnvironmentBusy if another worker builds it, so that a build occupies only one slot.
        """
        work = item.work
        if work is None or isinstance(work, HackRequest) or not work.environment:
            yield
            return
        slot = self._slot
        try:
            try:
                self._prepare(work.environment)
            except InfrastructureError as error:
                slot.environment_failure = str(error)
            yield
        finally:
            slot.leave_environment()

    def _prepare(self, reference: str) -> None:
        slot = self._slot
        image, checked_at = self._prepared.get(reference, ("", float("-inf")))
        if time.monotonic() - checked_at > CHECKED_FOR_S and image not in slot.list_box_keys():
            definition = read_definition(self._redis, reference)
            if definition is None:
                raise EnvironmentFailed(EXPIRED)
            recipe = build_recipe(definition)
            slot.image_time_s = self._images.ensure(recipe, wait=False)
            image = recipe.image
            if len(self._prepared) >= MAX_REMEMBERED:
                self._prepared.clear()
            self._prepared[reference] = image, time.monotonic()
        slot.environment = image
