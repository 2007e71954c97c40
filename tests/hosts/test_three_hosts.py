"""Three hosts as network namespaces under load: one joins, drains, dies and loses its cable; no result is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.queue import redis_keys
from tests.hosts.cluster import LEASE_S, TIMEOUT_S, Cluster, Load, wait_leases
from tests.hosts.network import Network, find_obstacle
from tests.queue.submit_and_wait import wait_until

pytestmark = [pytest.mark.timeout(300), pytest.mark.docker]
FIRST, SECOND = 1, 2


@pytest.fixture(scope="module")
def cluster(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The hub with Redis and the API, the first host with a worker, and a second, idle host."""
    assert images
    if reason := find_obstacle():
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("hosts")
    with Network(hosts=2) as network, Cluster(network, folder) as cluster:
        cluster.join(FIRST)
        yield cluster


def _wait_until_nothing_left(cluster: Cluster) -> None:
    wait_until(lambda: cluster.redis.hlen(redis_keys.CLAIMS) == 0, "nothing is claimed any more", TIMEOUT_S)
    wait_until(lambda: cluster.redis.zcard(redis_keys.outstanding("default")) == 0, "nothing is outstanding", TIMEOUT_S)


def _wait_until_host_works(cluster: Cluster, host: int) -> None:
    before = cluster.count_results(host)
    wait_until(lambda: cluster.count_results(host) >= before + 5, f"host {host} takes its share", TIMEOUT_S)


def test_a_host_joins_by_one_command_and_drained_it_ends_what_it_runs_and_is_gone_at_once(cluster: Cluster) -> None:
    with Load(cluster):
        _wait_until_host_works(cluster, FIRST)
        cluster.join(SECOND)
        _wait_until_host_works(cluster, SECOND)
        assert cluster.drain(SECOND) == 0
        # It signed off: otherwise its slot would be listed as silent for ten leases. The view is up to a second old.
        wait_until(lambda: len(cluster.client.live().slots) == 1, "the host is gone from the view", 3 * LEASE_S)
        _wait_until_host_works(cluster, FIRST)
    _wait_until_nothing_left(cluster)


def test_a_host_that_dies_and_comes_back_costs_no_verdict(cluster: Cluster) -> None:
    cluster.join(SECOND)
    with Load(cluster) as load:
        _wait_until_host_works(cluster, SECOND)
        cluster.kill(SECOND)
        answered = load.answered
        wait_until(lambda: load.answered > answered, "the other host goes on", TIMEOUT_S)
        cluster.join(SECOND)
        _wait_until_host_works(cluster, SECOND)
        assert cluster.drain(SECOND) == 0
    _wait_until_nothing_left(cluster)


def test_a_host_whose_cable_is_cut_is_taken_for_dead_and_does_no_harm_when_it_is_back(cluster: Cluster) -> None:
    cluster.join(SECOND)
    with Load(cluster) as load:
        _wait_until_host_works(cluster, SECOND)
        cluster.network.cut(SECOND)
        wait_leases(leases=1.5)
        assert not cluster.count_results_by_slot(SECOND), "it is silent"
        answered = load.answered
        wait_until(lambda: load.answered > answered, "the other host goes on", TIMEOUT_S)
        cluster.network.restore(SECOND)
        wait_until(lambda: cluster.count_results_by_slot(SECOND), "it is heard of again", TIMEOUT_S)
        _wait_until_host_works(cluster, SECOND)
        assert cluster.drain(SECOND) == 0
    _wait_until_nothing_left(cluster)
