"""The programs are distinct, and the bare side gives exactly the verdicts that they claim."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from loadtest.baselines import DEFAULT_PYTHON, BareRunner, Interpreters, Pool
from loadtest.sample import Sample, WrongVerdict, check_verdicts
from loadtest.workloads import (
    ALL_WORKLOADS,
    CRASHED,
    FAMILIES,
    TOO_SLOW,
    WRONG,
    Workload,
    find_workload,
    make_mixed,
    make_tiny_py,
    select_workloads,
)

QUICK_WORKLOADS = [workload for workload in ALL_WORKLOADS if workload.family not in {"W3", "W4", "W6"}]


def test_families_are_chosen_by_name() -> None:
    assert {workload.family for workload in select_workloads("w1, W5")} == {"W1", "W5"}
    with pytest.raises(ValueError, match="W9"):
        select_workloads("W1,W9")
    with pytest.raises(ValueError, match="choose from W1"):
        select_workloads("")


def test_all_seven_workloads_are_there() -> None:
    assert FAMILIES == ("W1", "W2", "W3", "W4", "W5", "W6", "W7")


@pytest.mark.parametrize("workload", ALL_WORKLOADS, ids=lambda workload: workload.name)
def test_programs_are_distinct(workload: Workload) -> None:
    first = Sample.draw_start_index()
    codes = [workload.make(first + place).code for place in range(64)]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("workload", QUICK_WORKLOADS, ids=lambda workload: workload.name)
def test_plain_python_gives_the_verdicts_that_are_claimed(workload: Workload, tmp_path: Path) -> None:
    task = workload.make(Sample.draw_start_index() + 3)
    check_verdicts(task, BareRunner(tmp_path, DEFAULT_PYTHON).run(task))


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_plain_cpp_gives_the_verdicts_that_are_claimed(tmp_path: Path) -> None:
    task = find_workload("W3 cpp-10").make(Sample.draw_start_index())
    check_verdicts(task, BareRunner(tmp_path, DEFAULT_PYTHON).run(task))


def test_the_mixture_is_the_one_that_was_asked_for() -> None:
    tasks = [make_mixed(Sample.draw_start_index() + place) for place in range(100)]
    counted = Counter("cpp" if task.language == "cpp" else task.verdicts[0] for task in tasks)
    assert counted == {"accepted": 70, WRONG: 10, CRASHED: 10, TOO_SLOW: 5, "cpp": 5}


def test_the_mixture_fails_as_it_claims(tmp_path: Path) -> None:
    first = Sample.draw_start_index()
    for place in range(20):
        task = make_mixed(first + place)
        if task.language == "python" and task.verdicts[0] != TOO_SLOW:
            check_verdicts(task, BareRunner(tmp_path, DEFAULT_PYTHON).run(task))


def test_a_wrong_verdict_is_an_error_with_the_program() -> None:
    task = make_tiny_py(5)
    with pytest.raises(WrongVerdict, match="input"):
        check_verdicts(task, ["runtime_error"])


def test_a_pool_counts_every_verdict_of_a_round() -> None:
    with Pool("bare", 2) as pool:
        sample = pool.run(find_workload("W1 single"), 0.5)
        again = pool.run(find_workload("W1 idle"), 0.2)
    assert sample.verdicts == len(sample.latencies_s) > 0
    assert sample.elapsed_s >= 0.5
    assert sample.cpu_s["programs"] > 0
    assert again.verdicts > 0


def test_a_pool_stops_at_a_wrong_verdict() -> None:
    """An interpreter that prints nothing raises WrongVerdict."""
    with Pool("bare", 1, Interpreters("/bin/true")) as pool, pytest.raises(WrongVerdict):
        pool.run(find_workload("W1 single"), 0.2)
