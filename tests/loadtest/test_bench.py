"""The whole benchmark, small, against a real service of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from loadtest.__main__ import main
from loadtest.own_service import container_cpu_s, kind_of


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
    assert kind_of(words) == kind


def test_a_container_that_is_gone_used_nothing_that_is_known() -> None:
    assert container_cpu_s("0" * 64) is None


@pytest.mark.parametrize("wrong", [["--workloads", "W9"], ["--peer", "nobody=http://x"], ["--peer", "code-judge"]])
def test_what_cannot_be_meant_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", *wrong])
    assert "W9" in wrong or "KIND=URL" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.usefixtures("images")
def test_bench_measures_a_service_of_its_own_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "--workloads W1 --rounds 1 --seconds 1 --slots 1 --no-docker-run --no-curve --no-plots"
    code = main(["bench", *options.split(), "--out", str(tmp_path)])
    shown = capsys.readouterr().out
    assert code in {0, 1}, shown  # a busy machine may miss a floor; that is what 1 says
    rows = {(row["workload"], row["side"]): row for row in json.loads((tmp_path / "bench.json").read_text())["rows"]}
    assert rows.keys() == {(name, side) for name in ("W1 single", "W1 batch64", "W1 idle") for side in ("ours", "bare")}
    ours = rows["W1 single", "ours"]
    assert all(ours["cpu_ms_per_verdict"][kind] > 0 for kind in ("generator", "api", "redis", "workers", "boxes"))
    assert ours["ratio_to_bare"]["median"] > 0
    assert ("missed" in shown) == (code == 1)
