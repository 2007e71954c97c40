"""A snapshot of slots, lanes, and recent results, for `/live` and `sandbox top`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import get_args

from redis import Redis

from sandbox.queue import activity, leases, redis_keys, session_records
from sandbox.queue.session_records import SessionRecord
from sandbox.schema.live import (
    LiveHistory,
    LiveLane,
    LivePeriod,
    LiveResult,
    LiveSecond,
    LiveSession,
    LiveSessions,
    LiveSlot,
    LiveView,
    SlotState,
)

RATE_WINDOW_S = 120
HISTORY_POINTS = 300
MAX_SESSIONS = 50


def read_live_view(redis: Redis, lease_s: float, queued: Mapping[str, int]) -> LiveView:
    """Return the snapshot. `queued` is the number of waiting submissions by lane. Raises RedisError."""
    now = time.time()
    return LiveView(
        at=round(now, 3),
        slots=_read_slots(redis, lease_s, now),
        lanes=_read_lanes(redis, queued, now),
        seconds=[LiveSecond.model_validate(one) for one in activity.read_verdicts_by_second(redis, now, RATE_WINDOW_S)],
        recent=[LiveResult.model_validate(one) for one in activity.read_recent(redis)],
        sessions=_read_sessions(redis, lease_s),
    )


def read_history(redis: Redis, hours: int) -> LiveHistory:
    """Return the verdicts of the last `hours`, 1 to 24, in at most `HISTORY_POINTS` periods. Raises RedisError."""
    now = time.time()
    step_s = activity.MINUTE_S * -(-hours * 60 // HISTORY_POINTS)
    counts = activity.read_verdict_history(redis, now, hours * activity.HOUR_S, step_s)
    return LiveHistory(at=round(now, 3), step_s=step_s, periods=[LivePeriod.model_validate(one) for one in counts])


def _read_sessions(redis: Redis, lease_s: float) -> LiveSessions | None:
    """Return the session hosts and the latest sessions. If there are none, this costs one round trip to Redis."""
    if not redis.exists(redis_keys.SESSION_HOSTS, redis_keys.SESSIONS):
        return None
    hosts = session_records.list_hosts(redis, lease_s)
    names = {host.id: host.name for host in hosts}
    records = session_records.list_records(redis, lambda _: True, MAX_SESSIONS)
    latest = [
        _build_session(record, names.get(record.host, ""))
        for record in records
        if record.host in names or record.session.replay
    ]
    if not hosts and not latest:
        return None
    return LiveSessions(
        hosts=sorted(hosts, key=lambda host: (host.name, host.id)),
        latest=latest,
    )


def _build_session(record: SessionRecord, host: str) -> LiveSession:
    session = record.session
    return LiveSession(
        id=session.id,
        language=session.language,
        created_at=session.created_at,
        expires_at=session.expires_at,
        parent=session.parent,
        host=host,
    )


def _read_slots(redis: Redis, lease_s: float, now: float) -> list[LiveSlot]:
    pipeline = redis.pipeline(transaction=False)
    for workers_key in (redis_keys.STARTING, redis_keys.WORKERS):
        pipeline.zrange(workers_key, 0, -1, withscores=True)
    heartbeats = {name.decode(): heartbeat for found in pipeline.execute() for name, heartbeat in found}
    if not heartbeats:
        return []
    descriptions = redis.mget([redis_keys.worker(name) for name in heartbeats])
    return sorted(
        (
            _build_slot(name, now - heartbeat, lease_s, text)
            for (name, heartbeat), text in zip(heartbeats.items(), descriptions, strict=True)
        ),
        key=lambda slot: (slot.host, slot.name),
    )


def _build_slot(name: str, heard_s: float, lease_s: float, text: bytes | None) -> LiveSlot:
    """Build a slot from a worker's description. A worker of another version may lack fields or have unknown ones."""
    description = {} if text is None else json.loads(text)
    silent = heard_s > lease_s or text is None
    waiting = description.get("waiting") or {}
    state = description.get("state") if description.get("state") in get_args(SlotState) else "idle"
    return LiveSlot(
        name=name,
        host=description.get("host", ""),
        engine=description.get("engine", ""),
        express=name.endswith(leases.RESERVED_SUFFIX),
        state="silent" if silent else state,
        heard_s=round(max(0.0, heard_s), 3),
        since=description.get("since"),
        running=None if silent else description.get("running"),
        done=description.get("done", 0),
        boxes=description.get("boxes", []),
        waiting_since=waiting.get("since"),
        waiting_for=waiting.get("why", ""),
    )


def _read_lanes(redis: Redis, queued: Mapping[str, int], now: float) -> list[LiveLane]:
    oldest = read_oldest_s(redis, now)
    return [LiveLane(name=lane, queued=queued.get(lane, 0), oldest_s=oldest[lane]) for lane in redis_keys.LANES]


def read_oldest_s(redis: Redis, now: float) -> dict[str, float]:
    """Return the age of the oldest unfinished batch of each lane, in seconds. Raises RedisError."""
    pipeline = redis.pipeline(transaction=False)
    for lane in redis_keys.LANES:
        pipeline.zrange(redis_keys.outstanding(lane), 0, 0, withscores=True)
    return {
        lane.value: round(max(0.0, now - first[0][1]), 3) if first else 0.0
        for lane, first in zip(redis_keys.LANES, pipeline.execute(), strict=True)
    }
