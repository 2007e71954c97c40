"""W8: the programs of a step, and what is read from the workers' logs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from loadtest.tail import Bar, TailResult, make_step, read_bars
from loadtest.tail_plot import draw_tail


def test_a_step_has_the_given_shares_of_slow_and_endless_programs_in_a_fixed_order() -> None:
    step = make_step(64, first=1_000)
    kinds = Counter(
        "endless" if task.verdicts[0] == "time_limit_exceeded" else "slow" if "process_time" in task.code else "quick"
        for task in step
    )
    assert kinds == {"quick": 435, "slow": 51, "endless": 26}
    assert {len(task.cases) for task in step} == {10}
    assert len({task.code for task in step}) == 512
    again = make_step(64, first=5_000_000)
    assert [task.verdicts for task in again] == [task.verdicts for task in step]


def test_the_bars_are_what_the_workers_logged_after_the_request(tmp_path: Path) -> None:
    lines = [
        {"time": "2026-01-01T00:00:01.000Z", "process": 1, "message": "judged", "submission": "s", "took_s": 0.5},
        {"time": "2026-01-01T00:00:03.000Z", "process": 1, "message": "judged", "item": "s.1", "took_s": 0.5}
        | {"submission": "s", "verdict": "accepted"},
        {"time": "2026-01-01T00:00:04.000Z", "process": 2, "message": "ran tests for another worker", "took_s": 1.0}
        | {"submission": "s", "item": "s.2"},
        {"time": "2026-01-01T00:00:05.000Z", "process": 2, "message": "another line", "took_s": 1.0},
    ]
    log = tmp_path / "up.log"
    log.write_text("a line of another program\n" + "\n".join(map(json.dumps, lines)))
    bars = list(read_bars(log, since=1_767_225_602.0))
    assert bars == [Bar(1, "s.1", 0.5, 1.0, "accepted", False), Bar(2, "s.2", 1.0, 2.0, "", True)]


def test_the_ratio_compares_the_makespan_with_the_bound_and_the_chart_shows_each_slot(tmp_path: Path) -> None:
    bars = [Bar(1, "a", 0.0, 4.0, "time_limit_exceeded", False), Bar(2, "b", 0.0, 1.0, "accepted", False)]
    one = TailResult(2, 2, False, False, 4.0, 2.5, 0.0, bars)
    assert (one.ratio, one.goal, one.idle_share) == (1.6, 1.10, 0.375)
    other = TailResult(2, 2, False, True, 3.0, 2.5, 0.0, [*bars, Bar(2, "a", 1.0, 3.0, "", True)])
    assert [path.name for path in draw_tail([one, other], tmp_path)] == ["tail_2.png"]
