"""Calls that run for long yield the CPU to everything else, but not forever, and a new call does not wait for them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sandbox.box.docker.session_cgroup import IDLE, PARENT_PREFIX, PARENT_SHARES, CpuGroup, find_box_group
from sandbox.box.engine import BoxHandle
from sandbox.session_host import cpu_priority
from sandbox.session_host.cpu_priority import CpuPriority
from tests.sessions.box_peer import BoxPeer

PARENT = f"{PARENT_PREFIX}1"


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cpu_priority, "REVIEW_INTERVAL_S", 0.02)
    for name in ("one", "other"):
        (tmp_path / PARENT / name).mkdir(parents=True)
    return tmp_path / PARENT


def build_priority(parent: Path, *peers: BoxPeer) -> CpuPriority:
    names = dict(zip([peer.box.handle.connection for peer in peers], ("one", "other"), strict=False))

    def find_group(handle: BoxHandle) -> CpuGroup:
        folder = parent / names[handle.connection]
        return CpuGroup(folder, 1, folder / "cpuacct.usage")

    priority = CpuPriority(find_group)
    for peer in peers:
        priority.add(peer.box)
    return priority


def is_idle(folder: Path) -> bool:
    return (folder / IDLE).exists() and (folder / IDLE).read_text() == "1"


def use_cpu(folder: Path, used_s: float) -> None:
    (folder / "cpuacct.usage").write_text(f"{round(used_s * 1e9)}\n")


async def wait_until_idle(folder: Path, idle: bool = True) -> None:
    async with asyncio.timeout(10):
        while is_idle(folder) is not idle:  # noqa: ASYNC110 - only the file knows
            await asyncio.sleep(0.005)


def test_boxes_are_idle_while_their_calls_compute_for_long(parent: Path) -> None:
    async def run() -> None:
        async with BoxPeer() as peer, BoxPeer() as other:
            build_priority(parent, peer, other)
            call = asyncio.create_task(peer.box.ask({"do": "execute", "branch": 0}))
            request = await peer.receive()
            assert not is_idle(parent)
            assert (parent / "cpu.shares").read_text() == PARENT_SHARES
            use_cpu(parent / "one", 1.0)
            await asyncio.sleep(0.2)
            assert not is_idle(parent), "the call waits"
            use_cpu(parent / "one", 1.2)
            await wait_until_idle(parent)
            assert is_idle(parent / "one")
            new = asyncio.create_task(other.box.ask({"do": "execute", "branch": 0}))
            second = await other.receive()
            assert not is_idle(parent)
            assert not is_idle(parent / "other")
            assert is_idle(parent / "one"), "the old call has to wait for the new one"
            other.send({"id": second["id"]})
            await new
            await wait_until_idle(parent)
            peer.send({"id": request["id"]})
            await call

    asyncio.run(run())


def test_idle_boxes_have_turns_with_a_normal_share(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            priority = build_priority(parent, peer)
            call = asyncio.create_task(peer.box.ask({"do": "execute", "branch": 0}))
            request = await peer.receive()
            await asyncio.sleep(0.1)
            use_cpu(parent / "one", 1.2)
            await wait_until_idle(parent)
            (parent / "cpu.shares").unlink()
            turn = asyncio.create_task(priority.give_turn())
            await wait_until_idle(parent, False)
            assert not (parent / "cpu.shares").exists(), "a cgroup that stops being idle has the normal share"
            await turn
            assert is_idle(parent)
            peer.send({"id": request["id"]})
            await call
            priority.close()

    asyncio.run(run())


def test_a_box_that_starts_has_the_small_share(parent: Path) -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            priority = build_priority(parent, peer)
            with priority.starting():
                await asyncio.sleep(0.2)
                assert not is_idle(parent)
            await wait_until_idle(parent)

    asyncio.run(run())


def test_a_host_without_idle_cgroups_changes_nothing(tmp_path: Path) -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            priority = CpuPriority(lambda handle: find_box_group(7, tmp_path, tmp_path))
            priority.add(peer.box)
            with priority.starting():
                await priority.give_turn()
            priority.close()

    (tmp_path / "7").mkdir()
    (tmp_path / "7/cgroup").write_text(f"0::/{PARENT}/box\n")
    (tmp_path / PARENT / "box").mkdir(parents=True)
    asyncio.run(run())
    assert not list((tmp_path / PARENT / "box").iterdir())


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
