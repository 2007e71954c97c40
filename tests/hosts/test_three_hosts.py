"""Three hosts as network namespaces, under load: a host joins, is drained, dies, loses its cable; nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.jobs import keys
from tests.hosts.cluster import LEASE_S, PATIENCE_S, Cluster, Load, pause
from tests.hosts.network import Network, why_not
from tests.jobs.waiting import until

pytestmark = [pytest.mark.timeout(300), pytest.mark.docker]
FIRST, SECOND = 1, 2


@pytest.fixture(scope="module")
def cluster(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The hub with Redis and API, and the first host at work; the second is there and idle."""
    assert images
    if reason := why_not():
        pytest.skip(reason)
    folder: Path = tmp_path_factory.mktemp("hosts")
    with Network(hosts=2) as network, Cluster(network, folder) as cluster:
        cluster.join(FIRST)
        yield cluster


def _nothing_is_left(cluster: Cluster) -> None:
    until(lambda: cluster.redis.hlen(keys.CLAIMS) == 0, "nothing is claimed any more", PATIENCE_S)
    until(lambda: cluster.redis.zcard(keys.outstanding("default")) == 0, "nothing is outstanding", PATIENCE_S)


def _takes_its_share(cluster: Cluster, host: int) -> None:
    before = cluster.done(host)
    until(lambda: cluster.done(host) >= before + 5, f"host {host} takes its share", PATIENCE_S)


def test_a_host_joins_by_one_command_and_drained_it_ends_what_it_runs_and_is_gone_at_once(cluster: Cluster) -> None:
    with Load(cluster):
        _takes_its_share(cluster, FIRST)
        cluster.join(SECOND)
        _takes_its_share(cluster, SECOND)
        assert cluster.drain(SECOND) == 0
        # It signed off: a slot that did not would be listed as silent for ten leases. A view is up to a second old.
        until(lambda: len(cluster.client.live().slots) == 1, "the host is gone from the view", 3 * LEASE_S)
        _takes_its_share(cluster, FIRST)
    _nothing_is_left(cluster)


def test_a_host_that_dies_and_comes_back_costs_no_verdict(cluster: Cluster) -> None:
    cluster.join(SECOND)
    with Load(cluster) as load:
        _takes_its_share(cluster, SECOND)
        cluster.kill(SECOND)
        answered = load.answered
        until(lambda: load.answered > answered, "the other host goes on", PATIENCE_S)
        cluster.join(SECOND)
        _takes_its_share(cluster, SECOND)
        assert cluster.drain(SECOND) == 0
    _nothing_is_left(cluster)


def test_a_host_whose_cable_is_cut_is_taken_for_dead_and_does_no_harm_when_it_is_back(cluster: Cluster) -> None:
    cluster.join(SECOND)
    with Load(cluster) as load:
        _takes_its_share(cluster, SECOND)
        cluster.network.cut(SECOND)
        pause(leases=1.5)
        assert not cluster.slots(SECOND), "it is silent"
        answered = load.answered
        until(lambda: load.answered > answered, "the other host goes on", PATIENCE_S)
        cluster.network.mend(SECOND)
        until(lambda: cluster.slots(SECOND), "it is heard of again", PATIENCE_S)
        _takes_its_share(cluster, SECOND)
        assert cluster.drain(SECOND) == 0
    _nothing_is_left(cluster)
