"""Several hosts are compared with the fewest hosts by medians."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.hosts import compare_host_counts, run
from loadtest.limits import Deployment
from loadtest.load_generator import MeasurementFailed


def test_each_workload_is_compared_with_itself_on_the_fewest_hosts() -> None:
    rates = {
        ("W2 py-20", 2): [90.0, 120.0, 100.0],
        ("W2 py-20", 1): [125.0, 125.0, 10.0],
        ("W1 single", 4): [300.0],
        ("W1 single", 1): [200.0],
    }
    found = [(one.workload, one.hosts, one.slots, one.ratio) for one in compare_host_counts(rates, 4)]
    assert found == [
        ("W1 single", 1, 4, 1.0),
        ("W1 single", 4, 4, 1.5),
        ("W2 py-20", 1, 4, 1.0),
        ("W2 py-20", 2, 4, 0.8),
    ]


def test_slots_that_do_not_go_round_are_refused_before_anything_starts() -> None:
    with pytest.raises(ValueError, match="6 slots cannot be split evenly over 1, 4 hosts"):
        run([1, 4], 6, 1, 1.0, print)


def test_a_process_that_does_not_start_is_told_in_its_own_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os.write(2, b'found on our PYTHONPATH'); os._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(MeasurementFailed, match=r"(?s)ended: api.*\napi: found on our PYTHONPATH"), Deployment(1):
        raise AssertionError("it did start")
