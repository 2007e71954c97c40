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
from sandbox.schema import ExecuteRequest, JobStatus
from sandbox.schema.gpu import GenerateRequest, GpuKind
from sandbox.service import Service
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


@pytest.fixture(scope="module")
def redis(servers: RedisCluster) -> Iterator[Redis]:
    client = connect(servers.build_url())
    yield client
    client.close()


@pytest.fixture(scope="module")
def service(images: dict[str, str], servers: RedisCluster) -> Iterator[Service]:
    """Yield a service with two workers."""
    assert images
    with tempfile.TemporaryDirectory(prefix="cluster-") as home:
        settings = QueueSettings(home=Path(home), redis_url=servers.build_url())
        with run_service_with_workers(settings, 2, FIRST_SLOT) as running:
            yield running
        remove_boxes(settings.home)


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
    url = "rediss+cluster://user:s%2Fkey@a:7000,b,[::1]:7002,[::2]?tag=blue"
    address = cluster.parse_cluster_url(url)
    assert address.nodes == (("a", 7000), ("b", 6379), ("::1", 7002), ("::2", 6379))
    assert (address.tag, address.username, address.password, address.has_tls) == ("blue", "user", "s/key", True)
    assert hide_password(url) == "rediss+cluster://a:7000,b,[::1]:7002,[::2]?tag=blue"
    assert cluster.parse_cluster_url("redis+cluster://a").tag == "sandbox"


@pytest.mark.parametrize("rest", ["", ":7000", "a,[::1", "a:seven", "a:7000/1", "a?db=1", "a?tag={b}", "a?tag="])
def test_an_invalid_url_is_refused_with_the_reason(rest: str) -> None:
    with pytest.raises(QueueUnavailable, match="cluster's URL"):
        cluster.parse_cluster_url(f"redis+cluster://{rest}")


def test_keys_of_another_slot_are_an_error_and_not_retried(redis: Redis) -> None:
    with pytest.raises(ClusterCrossSlotError):
        redis.execute_command("ZUNIONSTORE", "tagged", 1, "not tagged")


def test_services_with_different_tags_share_a_cluster(servers: RedisCluster) -> None:
    """The slots of the two tags are on different masters."""
    urls = [servers.build_url(f"?tag={tag}") for tag in ("a", "b")]
    clients = [connect(url) for url in urls]
    for client, value in zip(clients, (b"1", b"2"), strict=True):
        client.set("key", value)
    assert [client.get("key") for client in clients] == [b"1", b"2"]
    assert len({cluster.find_master(cluster.parse_cluster_url(url)) for url in urls}) == 2
    for client in clients:
        client.delete("key")
        client.close()


def test_all_keys_are_on_one_master_and_scripts_that_build_keys_work(servers: RedisCluster, service: Service) -> None:
    """Idempotency keys, GPU jobs and the fair queue have scripts that build the names of keys."""
    programs = build_printing_programs(range(PROGRAMS))
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
    master = find_master(servers)
    assert master is not None
    assert all(name.startswith(b"{sandbox}") for name in master.client.keys("*"))
    others = [node for node in servers.nodes if node is not master and node.read_state()["role"] == "master"]
    assert [node.client.dbsize() for node in others] == [0, 0]


def test_the_death_of_a_master_under_load_loses_nothing(
    servers: RedisCluster, service: Service, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Three clients wait for their programs, and a fourth sends durable work, while a replica takes over."""
    caplog.set_level(logging.INFO, "sandbox.queue.connection")
    load = Load(service)
    with ThreadPoolExecutor(4) as clients:
        running = [clients.submit(work) for work in (*[load.wait_for_results] * 3, load.store)]
        try:
            load.await_more()
            dead = find_master(servers)
            assert dead is not None
            dead.kill()
            wait_until(lambda: find_master(servers) not in {dead, None}, "a replica is promoted", 10.0)
            load.await_more()
            dead.start()
            wait_until(lambda: dead.read_state().get("master_link_status") == "up", "the old master is a replica")
            dead.call("CLUSTER FAILOVER")
            wait_until(lambda: find_master(servers) is dead, "the old master is the master again", 10.0)
            load.await_more()
        finally:
            load.ending.set()
        assert all(future.result(60) > 0 for future in running)
    for job_id, expected in load.stored.items():
        assert get_stdouts(await_job(service, job_id)) == expected
    wait_until(lambda: not redis.exists(redis_keys.CLAIMS), "no batch is claimed")
    assert not any(redis.zcard(redis_keys.outstanding(lane)) for lane in redis_keys.LANES)
    assert any("has not answered" in message for message in caplog.messages)
    assert any("answers again" in message for message in caplog.messages)


class Load:
    """Submissions of numbered programs until `ending` is set, and what those print that are stored."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._numbers = itertools.count()
        self.ending = threading.Event()
        self.stored: dict[str, list[str]] = {}

    def wait_for_results(self) -> int:
        """Submit programs and wait for what they print; return how often."""
        rounds = 0
        while not self.ending.is_set():
            programs, expected = self._build_programs()
            assert await_outputs(submit(self._service, programs, batch=True)) == expected
            rounds += 1
        return rounds

    def store(self) -> int:
        """Submit durable work ten times per second; return how often."""
        while not self.ending.is_set():
            programs, expected = self._build_programs()
            self.stored[submit(self._service, programs, batch=True, durable=True).id] = expected
            self.ending.wait(0.1)
        return len(self.stored)

    def await_more(self) -> None:
        """Wait until more durable work is accepted."""
        before = len(self.stored)
        wait_until(lambda: len(self.stored) >= before + 3, "the load continues")

    def _build_programs(self) -> tuple[list[ExecuteRequest], list[str]]:
        numbers = list(itertools.islice(self._numbers, PROGRAMS))
        return build_printing_programs(numbers), list(map(str, numbers))


def find_master(servers: RedisCluster) -> Node | None:
    """Return the node that the cluster calls the master of the tag's slot, dead or alive; None if it calls none so."""
    try:
        return servers.find(cluster.find_master(cluster.parse_cluster_url(servers.build_url()))[1])
    except ConnectionError:
        return None
