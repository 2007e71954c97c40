"""A pool reuses boxes instead of starting a container for each session, and destroys those that nobody needs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sandbox.session_host import box_pool
from sandbox.session_host.box_pool import BoxPool
from tests.sessions.test_box_failures import Engine


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the pool has no event
            await asyncio.sleep(0.005)


def test_sessions_one_after_another_start_no_more_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(box_pool, "SURPLUS_INTERVAL_S", 0.0)

    async def run() -> None:
        engine = Engine()
        pool = BoxPool(engine, 2, 1_000)
        pool.fill()
        await wait_until(lambda: pool.warm == 2)
        for _ in range(20):
            used = [await pool.take() for _ in range(3)]
            for box in used:
                pool.put_back(box, clean=True)
            await wait_until(lambda: pool.warm >= 3)
        await wait_until(lambda: pool.warm == len(engine.boxes))
        assert len(engine.boxes) <= 5, "three in use and two spares"
        pool.shrink()  # these boxes may have been used in the interval that ends now
        assert pool.warm == len(engine.boxes)
        pool.shrink()
        assert pool.warm == 2
        await wait_until(lambda: sum(box.connection.fileno() >= 0 for box in engine.boxes) == 2)
        await pool.close()

    asyncio.run(run())


def test_a_worn_out_or_unclean_box_is_not_reused() -> None:
    async def run() -> None:
        engine = Engine()
        pool = BoxPool(engine, 1, 2)
        first = await pool.take()
        pool.put_back(first, clean=True)
        await wait_until(lambda: pool.warm >= 1)
        seen = []
        for _ in range(6):
            seen.append(await pool.take())
            pool.put_back(seen[-1], clean=len(seen) != 3)
            await wait_until(lambda: pool.warm >= 1)
        assert all(box.uses <= 2 for box in seen)
        assert seen[2] not in seen[3:]
        await pool.close()

    asyncio.run(run())
