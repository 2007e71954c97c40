"""What the service accepts and refuses is counted by API key, and the state of Redis's append-only file is exposed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.errors import QueueFull
from sandbox.queue.storage_limits import RedisUsage, StorageLimiter
from sandbox.queue.submission import Submission
from sandbox.request_context import CURRENT_CALLER, Caller
from sandbox.schema import ExecuteRequest
from sandbox.schema.health import Readiness
from sandbox.telemetry.registry import MetricsRegistry
from sandbox.telemetry.service_metrics import ServiceMetrics
from tests.redis_server import RedisServer


def test_programs_and_refusals_count_for_the_key_that_sent_them(tmp_path: Path) -> None:
    registry = MetricsRegistry(tmp_path, "api")
    metrics = ServiceMetrics(registry)
    submission = Submission("execute", [ExecuteRequest(language="py", code="")] * 3, batch=True)
    metrics.record_accepted(submission, "a")
    token = CURRENT_CALLER.set(Caller("trainer"))
    try:
        metrics.record_accepted(submission, "b")
        metrics.record_refused(QueueFull("full"))
    finally:
        CURRENT_CALLER.reset(token)
    lines = set(registry.render().decode().splitlines())
    assert {
        'sandbox_key_programs_total{key="none"} 3.0',
        'sandbox_key_programs_total{key="trainer"} 3.0',
        'sandbox_key_refused_total{key="trainer"} 1.0',
    } <= lines


@pytest.mark.parametrize(
    ("persistence", "state"),
    [
        ({}, "unknown"),
        ({"aof_enabled": 0}, "off"),
        ({"aof_enabled": 1, "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "ok"}, "ok"),
        ({"aof_enabled": 1, "aof_last_write_status": "err", "aof_last_bgrewrite_status": "ok"}, "failing"),
        ({"aof_enabled": 1, "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "err"}, "failing"),
    ],
)
def test_the_append_only_file_has_one_state(persistence: dict[str, object], state: str, tmp_path: Path) -> None:
    usage = RedisUsage.from_redis({}, None, persistence)
    assert usage.append_only == state
    registry = MetricsRegistry(tmp_path, "api")
    ServiceMetrics(registry).record_readiness(Readiness(True, 1, append_only=usage.append_only))
    lines = registry.render().decode().splitlines()
    values = dict(line.split() for line in lines if line.startswith("sandbox_redis_append_only{"))
    assert {name for name, value in values.items() if value == "1.0"} == {
        f'sandbox_redis_append_only{{state="{state}"}}'
    }
    assert len(values) == 4


def test_the_state_of_the_append_only_file_comes_from_redis(redis_server: RedisServer) -> None:
    with redis_server.connect() as redis:
        redis.set("something", "", px=1)
        limiter = StorageLimiter(redis, 0)
        usage = limiter.refresh()
        assert (usage.append_only, usage.append_only_bytes > 0) == ("ok", True)
        redis.config_set("appendonly", "no")
        try:
            assert limiter.refresh().append_only == limiter.append_only == "off"
        finally:
            redis.config_set("appendonly", "yes")
