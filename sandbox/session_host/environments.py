"""Give sessions their boxes: a ready one, or one of an environment, whose image is built if this host lacks it."""

from __future__ import annotations

import asyncio

from redis import Redis

from sandbox.box.environment import EnvironmentImages, Recipe
from sandbox.errors import EnvironmentFailed
from sandbox.queue.environments import EXPIRED, build_recipe, read_definition
from sandbox.session_host.box_pool import BoxPool
from sandbox.session_host.session_box import SessionBox


class SessionBoxes:
    """Takes boxes from the pool, or starts boxes of environments."""

    def __init__(self, redis: Redis, pool: BoxPool, images: EnvironmentImages) -> None:
        self._redis = redis
        self.pool = pool
        self._images = images

    async def take(self, environment: str) -> tuple[SessionBox, float]:
        """Return a box and how long its image took in seconds. `environment` is `<name>@<id>`, or empty.

        Raises InfrastructureError or RedisError.
        """
        if not environment:
            return await self.pool.take(), 0.0
        recipe = await asyncio.to_thread(self._read_recipe, environment)
        image_time_s = await asyncio.to_thread(self._images.ensure, recipe)
        return await self.pool.start_other(recipe.image), round(image_time_s, 6)

    def _read_recipe(self, environment: str) -> Recipe:
        definition = read_definition(self._redis, environment)
        if definition is None:
            raise EnvironmentFailed(EXPIRED)
        return build_recipe(definition)
