"""Calls that run for long yield the CPU to everything else, but not forever, and a new call does not wait for them."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest

from sandbox.box.docker.session_cgroup import IDLE, PARENT_PREFIX, PARENT_SHARES, CpuGroup, find_box_group
from sandbox.box.engine import BoxHandle
from sandbox.session_host.cpu_demand import TICKS_PER_S, CpuDemand
from sandbox.session_host.cpu_priority import CpuPriority
from tests.sessions.box_peer import BoxPeer

PARENT = f"{PARENT_PREFIX}1"


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    for name in ("one", "other"):
        (tmp_path / PARENT / name).mkdir(parents=True)
        (tmp_path / PARENT / name / "cpu.cfs_quota_us").write_text("100000")
        (tmp_path / PARENT / name / "cpu.cfs_period_us").write_text("100000")
    return tmp_path / PARENT


class GivenDemand(CpuDemand):
    """The demand of a machine with four CPUs, as a test says."""

    cpus = 4

    def read(self) -> None:
        self.sessions = 1.0


class Host:
    """The priority of two boxes in the cgroup `parent`, whose reviews are started by the test."""

    def __init__(self, parent: Path, *peers: BoxPeer) -> None:
        self.parent = parent
        names = dict(zip([peer.box.handle.connection for peer in peers], ("one", "other"), strict=False))

        def find_group(handle: BoxHandle) -> CpuGroup:
            folder = parent / names[handle.connection]
            return CpuGroup(folder, 1, folder / "cpuacct.usage")

        def measure(group: CpuGroup) -> CpuDemand:
            self.demand = GivenDemand(group)
            return self.demand

        self.priority = CpuPriority(find_group, measure)
        for peer in peers:
            self.priority.add(peer.box)

    def review(self, others: float = 0.0, **used_s: float) -> None:
        """Review the boxes while others use so many CPUs, and after boxes have used CPU time in all."""
        for name, each_s in used_s.items():
            (self.parent / name / "cpuacct.usage").write_text(f"{round(each_s * 1e9)}\n")
        self.demand.others = others
        self.priority.review()

    def read_cpus(self, name: str) -> float:
        return CpuGroup(self.parent / name, 1).read_cpus()


def is_idle(folder: Path) -> bool:
    return (folder / IDLE).exists() and (folder / IDLE).read_text() == "1"


def test_boxes_are_idle_while_their_calls_compute_for_long(parent: Path) -> None:
    async def run() -> None:
        async with BoxPeer() as peer, BoxPeer() as other:
            host = Host(parent, peer, other)
            call = asyncio.create_task(peer.box.ask({"do": "execute", "branch": 0}))
            request = await peer.receive()
            assert not is_idle(parent)
            assert (parent / "cpu.shares").read_text() == PARENT_SHARES
            host.review(one=1.0)
            host.review()
            assert not is_idle(parent), "the call waits"
            host.review(one=1.2)
            assert is_idle(parent)
            assert is_idle(parent / "one")
            new = asyncio.create_task(other.box.ask({"do": "execute", "branch": 0}))
            second = await other.receive()
            host.review()
            assert not is_idle(parent)
            assert not is_idle(parent / "other")
            assert is_idle(parent / "one"), "the old call has to wait for the new one"
            other.send({"id": second["id"]})
            await new
            host.review()
            assert is_idle(parent)
            peer.send({"id": request["id"]})
            await call

    asyncio.run(run())


def test_long_calls_share_what_others_leave_free(parent: Path) -> None:
    async def run() -> None:
        async with BoxPeer() as peer, BoxPeer() as other:
            host = Host(parent, peer, other)
            calls = [asyncio.create_task(each.box.ask({"do": "execute", "branch": 0})) for each in (peer, other)]
            requests = [await peer.receive(), await other.receive()]
            host.review(one=1.0, other=1.0)
            host.review(others=4.0, one=1.01, other=1.01)
            assert host.read_cpus("one") == 1.0, "a call that has not computed for long has no quota"
            host.review(others=4.0, one=1.2, other=1.2)
            assert host.read_cpus("one") == host.read_cpus("other") == 0.1, "a twentieth of the machine remains"
            assert not is_idle(parent), "an idle cgroup would get nothing at all"
            host.review(others=2.0, one=1.3, other=1.3)
            assert host.read_cpus("one") == host.read_cpus("other") == 0.5
            assert is_idle(parent)
            host.review(others=1.0, one=1.4)
            assert host.read_cpus("one") == 1.0, "the other call waits, but a box never gets more than its own limit"
            host.review(others=4.0, one=1.5, other=1.5)
            again = asyncio.create_task(peer.box.ask({"do": "interrupt", "branch": 0}))
            third = await peer.receive()
            assert host.read_cpus("one") == 1.0, "a new request must not wait for the quota"
            for each, number in ((peer, requests[0]["id"]), (peer, third["id"]), (other, requests[1]["id"])):
                each.send({"id": number})
            await asyncio.gather(*calls, again)
            host.priority.remove(other.box)
            assert host.read_cpus("other") == 1.0

    asyncio.run(run())


def test_a_box_that_starts_has_the_small_share(parent: Path) -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            host = Host(parent, peer)
            with host.priority.starting():
                host.review(one=1.0)
                assert not is_idle(parent)
            host.review()
            assert is_idle(parent)

    asyncio.run(run())


def test_a_host_without_idle_cgroups_changes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            priority = CpuPriority(lambda handle: find_box_group(7, tmp_path, tmp_path))
            priority.add(peer.box)
            with priority.starting():
                priority.review()
            priority.close()

    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text(f"0::/{PARENT}/box\n")
    (tmp_path / PARENT / "box").mkdir(parents=True)
    asyncio.run(run())
    assert not list((tmp_path / PARENT / "box").iterdir())


@pytest.mark.parametrize("version", [1, 2])
def test_the_cpus_of_a_group_are_limited_and_read_back(tmp_path: Path, version: int) -> None:
    group = CpuGroup(tmp_path, version)
    assert math.isinf(group.read_cpus())
    for cpus in (1.5, 0.01, 0.002, math.inf):
        group.limit_cpus(cpus)
        assert group.read_cpus() == cpus
    group.limit_cpus(0.0)
    assert group.read_cpus() == 0.001


def test_the_demand_of_a_machine_is_told_apart_by_sessions_and_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statistics, now = tmp_path / "stat", [100.0]
    monkeypatch.setattr("sandbox.session_host.cpu_demand.time.monotonic", lambda: now[0])
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    groups = [tmp_path / f"{PARENT_PREFIX}{number}" for number in (1, 2)]
    for group in groups:
        group.mkdir()
        (group / "cpuacct.usage").write_text("5000000000")
    statistics.write_text(f"cpu 1 2 3 {TICKS_PER_S * 8} {TICKS_PER_S} 5\ncpu0 1\n")
    demand = CpuDemand(CpuGroup(groups[0], 1, groups[0] / "cpuacct.usage"), statistics, _read_at=now[0])
    now[0] += 2.0
    statistics.write_text(f"cpu 1 2 3 {TICKS_PER_S * 10} {TICKS_PER_S * 2} 5\ncpu0 1\n")
    for group in groups:
        (group / "cpuacct.usage").write_text("6500000000")
    demand.read()
    assert demand.sessions == 1.5
    assert demand.others == 4 - 1.5 - 1.5


@pytest.mark.parametrize(("line", "version", "folder"), [("3:cpu", 1, "cpu"), ("0:", 2, ".")])
def test_the_group_of_a_box_is_found_by_a_process(tmp_path: Path, line: str, version: int, folder: str) -> None:
    group = tmp_path / folder / PARENT / "box"
    group.mkdir(parents=True)
    (group.parent / IDLE).write_text("0")
    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text(f"9:memory:/elsewhere/box\n{line}:/{PARENT}/box\n")
    found = find_box_group(7, tmp_path, tmp_path)
    assert found is not None
    assert found[:2] == (group, version)
    found.usage.parent.mkdir(parents=True, exist_ok=True)
    found.usage.write_text("2000000000\n" if version == 1 else "usage_usec 2000000\nuser_usec 1\n")
    assert found.read_used_s() == 2.0
    assert find_box_group(8, tmp_path, tmp_path) is None
    (tmp_path / "7/cgroup").write_text(f"{line}:/docker/box\n")
    assert find_box_group(7, tmp_path, tmp_path) is None
