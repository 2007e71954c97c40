"""The whole benchmark at a small scale, against a real temporary service."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest import bench
from loadtest.__main__ import main
from loadtest.bench import Plan, Side, measure_round, rotate_sides, warm_up_sides
from loadtest.load_generator import MeasurementFailed
from loadtest.sample import Sample, WrongVerdict
from loadtest.sides import BARE, SANDBOX
from loadtest.temporary_service import CpuMeter, classify_process, read_container_cpu_s
from loadtest.workloads import Workload, find_workload


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["python", "-m", "sandbox", "serve"], "api"),
        (["python", "-m", "sandbox", "worker-slot", "--slot", "1"], "workers"),
        (["/x/valkey-server unixsocket:/tmp/a/redis.sock"], "redis"),
        (["/usr/bin/redis-server", "--port", "0"], "redis"),
        (["cat"], None),
        ([], None),
    ],
)
def test_our_processes_are_known_by_their_command_lines(words: list[str], kind: str | None) -> None:
    assert classify_process(words) == kind


def test_a_container_that_is_gone_used_nothing_that_is_known() -> None:
    assert read_container_cpu_s("0" * 64) is None


@pytest.mark.parametrize("wrong", [["--workloads", "W9"], ["--peer", "nobody=http://x"], ["--peer", "code-judge"]])
def test_what_cannot_be_meant_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", *wrong])
    assert "W9" in wrong or "KIND=URL" in capsys.readouterr().err


class FakeSide:
    """A side that fails with this error, or succeeds."""

    def __init__(self, name: str, failure: Exception | None = None) -> None:
        self.name = name
        self._failure = failure

    def run(self, workload: Workload, seconds: float, concurrency: int = 0) -> Sample:
        if self._failure is not None:
            raise self._failure
        return Sample(verdicts=1)


def test_a_peer_that_cannot_run_a_workload_is_left_out_of_it_and_told() -> None:
    big_io = find_workload("W7 big-io")
    cuts = FakeSide("sandbox-fusion", WrongVerdict("got wrong_answer, expected accepted, for\nprint(1)"))
    fails = FakeSide("code-judge", MeasurementFailed("code-judge failed: internal_error"))
    sides: list[Side] = [FakeSide(SANDBOX), cuts, fails, FakeSide(BARE)]
    left_out: list[str] = []
    said: list[str] = []
    able = warm_up_sides(big_io, sides, Plan([big_io]), left_out, said.append)
    assert [side.name for side in able] == [SANDBOX, BARE]
    assert left_out == [
        "W7 big-io: sandbox-fusion: got wrong_answer, expected accepted",
        "W7 big-io: code-judge: code-judge failed: internal_error",
    ]
    assert said[1:] == left_out


def test_a_wrong_verdict_of_ours_is_not_left_out() -> None:
    big_io = find_workload("W7 big-io")
    with pytest.raises(WrongVerdict):
        warm_up_sides(big_io, [FakeSide(SANDBOX, WrongVerdict("x"))], Plan([big_io]), [], print)


def test_a_round_that_the_hypervisor_disturbed_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    steal_s = iter([0.0, 90.0, 90.0, 90.0])  # before and after each of the rounds

    def read_steal_s() -> float:
        return next(steal_s)

    class CountingSide(FakeSide):
        runs = 0

        def run(self, workload: Workload, seconds: float, concurrency: int = 0) -> Sample:
            self.runs += 1
            return Sample(verdicts=self.runs)

    monkeypatch.setattr(bench, "read_steal_s", read_steal_s)
    side = CountingSide(BARE)
    sample = measure_round(side, find_workload("W1 single"), 0.0, CpuMeter(0, Path()))
    assert (side.runs, sample.verdicts, sample.steal_share) == (2, 2, 0.0)


def test_another_side_goes_first_in_each_round() -> None:
    sides: list[Side] = [FakeSide("a"), FakeSide("b")]
    assert ["".join(side.name for side in rotate_sides(sides, number)) for number in range(3)] == ["ab", "ba", "ab"]
    assert rotate_sides([], 1) == []


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.usefixtures("images")
def test_bench_measures_a_service_of_its_own_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--workloads W1 --rounds 1 --seconds 1 --slots 1 --no-docker-run --no-curve --no-plots"
    code = main(["bench", *options.split(), "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert code in {0, 1}, shown  # 1 means a missed floor, which happens on a busy machine
    rows = {(row["workload"], row["side"]): row for row in json.loads((tmp_path / "bench.json").read_text())["rows"]}
    assert rows.keys() == {(name, side) for name in ("W1 single", "W1 batch64", "W1 idle") for side in ("ours", "bare")}
    ours = rows["W1 single", "ours"]
    assert all(ours["cpu_ms_per_verdict"][kind] > 0 for kind in ("generator", "api", "redis", "workers", "boxes"))
    assert ours["ratio_to_bare"]["median"] > 0
    assert ("missed" in shown) == (code == 1)
