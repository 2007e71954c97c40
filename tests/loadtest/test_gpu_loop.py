"""The summary of a measured loop: times, the use of the GPU, and steps that an earlier loop already ran."""

from __future__ import annotations

from typing import Any

from loadtest.gpu_loop import compute_use, find_reused, summarize

SAMPLES = [(100.0 + index, float(busy), 0.0) for index, busy in enumerate((0, 50, 50, 90, 90, 10, 10, 10))]


def make_report(general_began: float, grpo_began: float) -> dict[str, Any]:
    names = {"general base": (general_began, 3.0, 0.0), "grpo": (grpo_began, 3.0, 1.0)}
    return {
        "table": [
            {"step": name, "took_s": took_s, "waited_s": 0.0, "start_s": start_s}
            for name, (_, took_s, start_s) in names.items()
        ],
        "steps": {name: {"began": began, "took_s": took_s} for name, (began, took_s, _) in names.items()},
    }


def test_the_general_evaluation_and_the_start_of_a_training_are_told_apart() -> None:
    summary = summarize(make_report(101.0, 104.0), SAMPLES, 100.0, 7.0)
    assert (summary["took_s"], summary["took_without_general_s"]) == (7.0, 4.0)
    assert summary["steps"]["general base"]["gpu_busy"] == 70.0
    assert summary["steps"]["grpo"]["gpu_busy"] == 10.0


def test_a_step_that_got_the_job_of_an_earlier_loop_costs_no_time() -> None:
    report = make_report(101.0, 101.1)
    assert find_reused(report["steps"], ended=107.0) == {"general base"}
    summary = summarize(report, SAMPLES, 100.0, 7.0)
    assert summary["took_without_general_s"] == 7.0
    assert summary["steps"]["general base"] | {"gpu_busy": None, "reused": True} == summary["steps"]["general base"]


def test_without_samples_the_use_is_unknown() -> None:
    assert compute_use([], 0.0, 1.0) is None
