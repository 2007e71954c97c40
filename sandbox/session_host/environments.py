"""Give sessions their boxes: a ready one, or one of an environment, whose image is built if this host lacks it."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from redis import Redis

from sandbox.box.environment import EnvironmentImages, Recipe
from sandbox.errors import EnvironmentFailed
from sandbox.queue.environments import EXPIRED, build_recipe, read_definition
from sandbox.session_host.box_pool import BoxPool
from sandbox.session_host.session_box import SessionBox

MAX_BUILDS = 2  # at a time; they have threads of their own, because other work must not wait for a free thread
MIN_REPORTED_S = 0.1  # below this, the image was there


class SessionBoxes:
    """Takes boxes from the pool, or starts boxes of environments."""

    def __init__(self, redis: Redis, pool: BoxPool, images: EnvironmentImages) -> None:
        self._redis = redis
        self.pool = pool
        self._images = images
        self._builders = ThreadPoolExecutor(MAX_BUILDS, "environments")

    async def take(self, environment: str) -> tuple[SessionBox, float]:
        """Return a box and how long its image took in seconds. `environment` is `<name>@<id>`, or empty.

        Raises InfrastructureError or RedisError.
        """
        if not environment:
            return await self.pool.take(), 0.0
        recipe = await asyncio.to_thread(self._read_recipe, environment)
        began = time.monotonic()
        await asyncio.get_running_loop().run_in_executor(self._builders, self._images.ensure, recipe)
        image_time_s = time.monotonic() - began
        box = await self.pool.start_other(recipe.image)
        return box, round(image_time_s, 6) if image_time_s > MIN_REPORTED_S else 0.0

    def _read_recipe(self, environment: str) -> Recipe:
        definition = read_definition(self._redis, environment)
        if definition is None:
            raise EnvironmentFailed(EXPIRED)
        return build_recipe(definition)
