"""Pinned slots have their own cores, as long as there are enough."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.box.cpu_pinning import assign_cpus, format_cpu_list, resolve_pinning


@pytest.fixture
def eight_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Simulate four cores of two threads each, numbered as Linux does: 0 and 4 are one core."""
    for cpu in range(8):
        topology = tmp_path / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    return tmp_path


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        (1, ["0,1,2,3,4,5,6,7"]),
        (2, ["0,1,4,5", "2,3,6,7"]),
        (3, ["0,4", "1,5", "2,3,6,7"]),
        (4, ["0,4", "1,5", "2,6", "3,7"]),
        (6, ["0", "1", "2", "3", "4", "5"]),
        (8, ["0", "1", "2", "3", "4", "5", "6", "7"]),
        (10, ["0", "1", "2", "3", "4", "5", "6", "7", "0", "1"]),
    ],
)
def test_each_slot_has_whole_cores_or_a_thread(eight_threads: Path, slots: int, expected: list[str]) -> None:
    assert [format_cpu_list(assign_cpus(slot, slots, eight_threads)) for slot in range(slots)] == expected


@pytest.mark.usefixtures("eight_threads")
@pytest.mark.parametrize(
    ("slots", "files", "expected"),
    [
        (0, {}, "slots"),
        (6, {}, "slots"),
        (5, {}, "none"),
        (8, {"cpu.max": "max 100000"}, "slots"),
        (8, {"cpu.max": "400000 100000"}, "none"),
        (8, {"cpu/cpu.cfs_quota_us": "-1"}, "slots"),
        (8, {"cpu/cpu.cfs_quota_us": "400000"}, "none"),
    ],
)
def test_slots_that_fill_a_host_are_pinned(tmp_path: Path, slots: int, files: dict[str, str], expected: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert resolve_pinning("auto", slots, tmp_path) == expected
    for pin in ("none", "boxes", "slots"):
        assert resolve_pinning(pin, slots, tmp_path) == pin


def test_a_small_host_is_not_pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    assert resolve_pinning("auto", 0, tmp_path) == "none"


def test_without_a_number_there_is_a_slot_for_each_cpu(eight_threads: Path) -> None:
    assert assign_cpus(7, 0, eight_threads) == {7}


def test_a_reserved_worker_is_not_pinned(eight_threads: Path) -> None:
    assert assign_cpus(4, 4, eight_threads) == set(range(8))


def test_only_cpus_that_may_be_used_are_given(eight_threads: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 6})
    assert [sorted(assign_cpus(slot, 2, eight_threads)) for slot in range(2)] == [[1, 5], [6]]


def test_without_topology_each_cpu_counts_as_a_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert [assign_cpus(slot, 2, tmp_path) for slot in range(2)] == [{0}, {1}]
