"""The whole queue in one slot of a real cluster: its scripts run, and the death of a master loses nothing."""

from __future__ import annotations

import itertools
import logging
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ClusterCrossSlotError, ConnectionError

from sandbox.box.docker.leftovers import remove_boxes
from sandbox.config import QueueSettings
from sandbox.errors import QueueUnavailable
from sandbox.queue import cluster, redis_keys
from sandbox.queue.connection import connect, hide_password
from sandbox.request_context import Caller
from sandbox.schema import JobStatus
from sandbox.schema.gpu import GenerateRequest, GpuKind
from tests.queue.sample_programs import build_printing_programs
from tests.queue.submit_and_wait import act_as, await_job, await_outputs, get_stdouts, submit, wait_until
from tests.redis_cluster import Node, RedisCluster, run_redis_cluster
from tests.running_service import run_service_with_workers

FIRST_SLOT = 150
PROGRAMS = 8  # of one submission


@pytest.fixture(scope="module")
def servers() -> Iterator[RedisCluster]:
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder, run_redis_cluster(Path(folder)) as running:
        yield running


@pytest.fixture
def settings(servers: RedisCluster, own_home: Path) -> QueueSettings:
    return QueueSettings(home=own_home, redis_url=servers.build_url())


@pytest.fixture
def redis(settings: QueueSettings) -> Iterator[Redis]:
    client = connect(settings.redis_url)
    client.flushdb()
    yield client
    client.close()


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (["GET", "a"], ["a"]),
        (["set", "a", "value"], ["a"]),
        ([b"DEL", "a", b"b"], ["a", b"b"]),
        (["BLPOP", "a", "b", 5], ["a", "b"]),
        (["BLMOVE", "a", "b", "LEFT", "RIGHT", 5], ["a", "b"]),
        (["EVAL", "return 1", 2, "a", "b", "argument"], ["a", "b"]),
        (["EVALSHA", "digest", 0, "argument"], []),
        (["MEMORY USAGE", "a"], ["a"]),
        (["CLIENT SETNAME", "worker"], []),
        (["MULTI"], []),
        (["PUBLISH", "channel", "message"], []),
    ],
)
def test_the_keys_of_a_command_are_found(words: list[Any], keys: list[Any]) -> None:
    first, end = cluster.find_keys(words)
    assert words[first:end] == keys


def test_a_url_names_the_nodes_and_the_tag() -> None:
    url = "rediss+cluster://user:s%2Fecret@a:7000,b,[::1]:7002?tag=blue"
    address = cluster.parse_cluster_url(url)
    assert address.nodes == (("a", 7000), ("b", 6379), ("::1", 7002))
    assert (address.tag, address.username, address.password, address.has_tls) == ("blue", "user", "s/ecret", True)
    assert hide_password(url) == "rediss+cluster://a:7000,b,[::1]:7002?tag=blue"
    assert cluster.parse_cluster_url("redis+cluster://a").tag == "sandbox"


@pytest.mark.parametrize("rest", ["", "a:seven", "a:7000/1", "a?db=1", "a?tag={b}", "a?tag="])
def test_an_invalid_url_is_refused_with_the_reason(rest: str) -> None:
    with pytest.raises(QueueUnavailable, match="cluster's URL"):
        cluster.parse_cluster_url(f"redis+cluster://{rest}")


def test_keys_of_another_slot_are_an_error_and_not_retried(redis: Redis) -> None:
    with pytest.raises(ClusterCrossSlotError):
        redis.execute_command("ZUNIONSTORE", "tagged", 1, "not tagged")


def test_all_keys_are_on_one_master_and_scripts_that_build_keys_work(
    images: dict[str, str], servers: RedisCluster, settings: QueueSettings, redis: Redis
) -> None:
    """Idempotency keys, GPU jobs and the fair queue have scripts that build the names of keys."""
    assert images
    programs = build_printing_programs(range(PROGRAMS))
    with run_service_with_workers(settings, 2, FIRST_SLOT) as service:
        with act_as(Caller("key")):
            jobs = [submit(service, programs, durable=True, batch=True, idempotency_key="one") for _ in range(2)]
            assert jobs[0].id == jobs[1].id
            assert get_stdouts(await_job(service, jobs[0].id)) == [str(number) for number in range(PROGRAMS)]
            assert await_outputs(submit(service, programs, batch=True)) == [str(number) for number in range(PROGRAMS)]
            request = GenerateRequest(model="Qwen/Qwen2.5-0.5B", prompts=["p"])
            started = [service.start_gpu_job(GpuKind.GENERATE, request, "two") for _ in range(2)]
            assert started[0].id == started[1].id
            assert service.cancel(started[0].id).status is JobStatus.CANCELLED
        assert service.check_readiness().workers == 2
    remove_boxes(settings.home)
    master = find_master(servers)
    assert master is not None
    assert all(name.startswith(b"{sandbox}") for name in master.client.keys("*"))
    others = [node for node in servers.nodes if node is not master and node.read_state()["role"] == "master"]
    assert [node.client.dbsize() for node in others] == [0, 0]


def test_the_death_of_a_master_under_load_loses_nothing(
    images: dict[str, str],
    servers: RedisCluster,
    settings: QueueSettings,
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Three clients wait for their programs, and a fourth sends durable work, while a replica takes over."""
    assert images
    caplog.set_level(logging.INFO, "sandbox.queue.connection")
    numbers = itertools.count()
    ending = threading.Event()
    stored: dict[str, list[str]] = {}
    with run_service_with_workers(settings, 2, FIRST_SLOT) as service, ThreadPoolExecutor(4) as clients:

        def wait_for_results() -> int:
            rounds = 0
            while not ending.is_set():
                mine = [next(numbers) for _ in range(PROGRAMS)]
                assert await_outputs(submit(service, build_printing_programs(mine), batch=True)) == list(map(str, mine))
                rounds += 1
            return rounds

        def store() -> int:
            while not ending.is_set():
                mine = [next(numbers) for _ in range(PROGRAMS)]
                ticket = submit(service, build_printing_programs(mine), batch=True, durable=True)
                stored[ticket.id] = list(map(str, mine))
                ending.wait(0.1)
            return len(stored)

        running = [clients.submit(work) for work in (*[wait_for_results] * 3, store)]
        try:
            wait_until(lambda: len(stored) >= 3, "there is load")
            dead = find_master(servers)
            assert dead is not None
            dead.kill()
            wait_until(lambda: find_master(servers) not in {dead, None}, "a replica is promoted", 10.0)
            before = len(stored)
            wait_until(lambda: len(stored) >= before + 3, "the load continues")
            dead.start()
            wait_until(lambda: dead.read_state().get("master_link_status") == "up", "the old master is a replica")
            dead.call("CLUSTER FAILOVER")
            wait_until(lambda: find_master(servers) is dead, "the old master is the master again", 10.0)
            before = len(stored)
            wait_until(lambda: len(stored) >= before + 3, "the load continues after an orderly change, too")
        finally:
            ending.set()
        answered = sum(future.result(60) for future in running)
        for job_id, expected in stored.items():
            assert get_stdouts(await_job(service, job_id)) == expected
        assert answered > len(stored)
        wait_until(lambda: not redis.exists(redis_keys.CLAIMS), "no batch is claimed")
        assert not any(redis.zcard(redis_keys.outstanding(lane)) for lane in redis_keys.LANES)
    remove_boxes(settings.home)
    assert any("has not answered" in message for message in caplog.messages)
    assert any("answers again" in message for message in caplog.messages)


def find_master(servers: RedisCluster) -> Node | None:
    """Return the node that the cluster calls the master of the tag's slot, dead or alive; None if it calls none so."""
    try:
        return servers.find(cluster.find_master(cluster.parse_cluster_url(servers.build_url()))[1])
    except ConnectionError:
        return None
