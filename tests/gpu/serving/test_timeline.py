"""The summary of a generation reports times and verdicts correctly."""

from __future__ import annotations

import pytest

from sandbox.gpu.serving.completions import CompletionGroup
from sandbox.gpu.serving.generation_job import Timeline
from sandbox.gpu.serving.verdicts import GroupVerdict


def _build_group(at: float) -> CompletionGroup:
    return CompletionGroup(
        prompt_index=0, texts=["a", "b"], finish_reasons=["stop", "stop"], tokens=10, prompt_tokens=3, finished_at=at
    )


def test_overlap_is_the_share_of_verdicts_that_the_last_token_found_there() -> None:
    timeline = Timeline(started_at=100.0)
    for at in (101.0, 104.0):
        timeline.record_group(_build_group(at))
    for at in (102.0, 104.5):
        timeline.record_verdict(GroupVerdict([1.0, 0.0], [True, False], None, at))
    summary = timeline.summarize()
    assert (summary["overlap"], summary["last_token_to_last_verdict_s"]) == (0.5, 0.5)
    assert (summary["tokens_per_s"], summary["generate_s"]) == (5.0, 4.0)
    assert summary["verdicts_per_s"] == pytest.approx(4 / 4.5, abs=0.1)


def test_a_completion_that_the_service_failed_to_judge_is_neither_right_nor_wrong() -> None:
    timeline = Timeline(started_at=100.0)
    timeline.record_group(_build_group(101.0))
    timeline.record_verdict(GroupVerdict([1.0, None], [True, None], None, 102.0))
    summary = timeline.summarize()
    assert (summary["pass_rate"], summary["lost_verdicts"], summary["mean_reward"]) == (1.0, 1, 1.0)


def test_where_nothing_was_judged_there_is_no_rate() -> None:
    timeline = Timeline(started_at=100.0)
    timeline.record_group(_build_group(101.0))
    assert "pass_rate" not in timeline.summarize()
    timeline.record_verdict(GroupVerdict([None, None], [None, None], None, 102.0))
    assert timeline.summarize()["pass_rate"] is None
