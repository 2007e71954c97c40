"""One look at everything that goes on, in two round trips: for `/live` and `sandbox top`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import get_args

from redis import Redis

from sandbox.jobs import activity, keys, leases
from sandbox.schema.live import LiveLane, LiveResult, LiveSecond, LiveSlot, LiveView, SlotState

SECONDS_SHOWN = 120


def look(redis: Redis, lease_s: float, queued: Mapping[str, int]) -> LiveView:
    """`queued`: submissions that wait, by lane. Raises RedisError."""
    now = time.time()
    return LiveView(
        at=round(now, 3),
        slots=_slots(redis, lease_s, now),
        lanes=_lanes(redis, queued, now),
        seconds=[LiveSecond.model_validate(one) for one in activity.seconds(redis, now, SECONDS_SHOWN)],
        recent=[LiveResult.model_validate(one) for one in activity.recent(redis)],
    )


def _slots(redis: Redis, lease_s: float, now: float) -> list[LiveSlot]:
    pipeline = redis.pipeline(transaction=False)
    for known in (keys.STARTING, keys.WORKERS):
        pipeline.zrange(known, 0, -1, withscores=True)
    beats = {name.decode(): beat for found in pipeline.execute() for name, beat in found}
    if not beats:
        return []
    told = redis.mget([keys.worker(name) for name in beats])
    return sorted(
        (_slot(name, now - beat, lease_s, text) for (name, beat), text in zip(beats.items(), told, strict=True)),
        key=lambda slot: (slot.host, slot.name),
    )


def _slot(name: str, heard_s: float, lease_s: float, text: bytes | None) -> LiveSlot:
    """A worker of another version may tell less of itself, or more: then it is alive, and nothing more is known."""
    described = {} if text is None else json.loads(text)
    silent = heard_s > lease_s or text is None
    waiting = described.get("waiting") or {}
    state = described.get("state") if described.get("state") in get_args(SlotState) else "idle"
    return LiveSlot(
        name=name,
        host=described.get("host", ""),
        engine=described.get("engine", ""),
        express=name.endswith(leases.EXPRESS),
        state="silent" if silent else state,
        heard_s=round(max(0.0, heard_s), 3),
        since=described.get("since"),
        running=None if silent else described.get("running"),
        done=described.get("done", 0),
        boxes=described.get("boxes", []),
        waiting_since=waiting.get("since"),
        waiting_for=waiting.get("why", ""),
    )


def _lanes(redis: Redis, queued: Mapping[str, int], now: float) -> list[LiveLane]:
    oldest = oldest_s(redis, now)
    return [LiveLane(name=lane, queued=queued.get(lane, 0), oldest_s=oldest[lane]) for lane in keys.LANES]


def oldest_s(redis: Redis, now: float) -> dict[str, float]:
    """By lane, the age of the oldest envelope that is not done, whether it waits or runs. Raises RedisError."""
    pipeline = redis.pipeline(transaction=False)
    for lane in keys.LANES:
        pipeline.zrange(keys.outstanding(lane), 0, 0, withscores=True)
    return {
        lane.value: round(max(0.0, now - first[0][1]), 3) if first else 0.0
        for lane, first in zip(keys.LANES, pipeline.execute(), strict=True)
    }
