"""The study of labels: its tasks, the requests for votes, what counts as a right label, and where it continues."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import pytest

from loadtest.label_study import Study, build_parser, select_settings
from loadtest.label_study_tasks import (
    CANDIDATES,
    KINDS,
    LABELED_INPUTS,
    StudyTask,
    build_vote_request,
    describe_labels,
    find_changed_settings,
    list_missing,
    make_sft_rows,
    make_study_tasks,
    summarize_hacking,
)
from sandbox.client import Client
from sandbox.schema.vote import VoteRequest


@pytest.fixture(scope="module")
def tasks() -> list[StudyTask]:
    return make_study_tasks(40, seed=0)


def run(code: str, stdin: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(code, "candidate", "exec"), {})
    return output.getvalue()


def test_tasks_are_the_same_for_a_seed_and_share_wrong_ideas(tasks: list[StudyTask]) -> None:
    assert make_study_tasks(40, seed=0) == tasks
    assert all(len(one.candidates) == CANDIDATES for one in tasks)
    wrong = [[code for code in one.candidates if code != one.task.solution] for one in tasks]
    repeated = sum(len(codes) - len(set(codes)) for codes in wrong)
    assert repeated > 0.3 * sum(map(len, wrong))
    assert any(len(codes) > CANDIDATES / 2 for codes in wrong)


def test_the_reference_is_right_and_the_validator_refuses_the_invalid_inputs(
    tasks: list[StudyTask], monkeypatch: pytest.MonkeyPatch
) -> None:
    for one in tasks[:10]:
        for test in (*one.truth, *one.hidden):
            assert run(one.task.solution, test["stdin"], monkeypatch).split() == test["expected"].split()
            run(one.validator, test["stdin"], monkeypatch)
        for invalid in one.inputs[LABELED_INPUTS:]:
            with pytest.raises((AssertionError, ValueError)):
                run(one.validator, invalid, monkeypatch)


def test_only_the_new_labels_use_a_validator_and_a_slow_program(tasks: list[StudyTask]) -> None:
    one = next(each for each in tasks if each.brute)
    for kind in ("x-coder", "default", "new"):
        request = VoteRequest.model_validate(build_vote_request(one, kind))
        assert len(request.candidates) == CANDIDATES + (kind == "new")
        assert bool(request.validators) == (kind == "new")


def test_a_label_of_an_invalid_input_is_not_right(tasks: list[StudyTask]) -> None:
    chosen = tasks[:2]
    spaced = [{**chosen[0].truth[0], "expected": chosen[0].truth[0]["expected"].strip() + " \n\n"}]
    invalid = [{"stdin": chosen[1].inputs[-1], "expected": "0\n"}, chosen[1].truth[1]]
    assert describe_labels(chosen, [spaced, invalid]) == {"tasks": 2, "labels": 3, "right": 0.6667}
    assert describe_labels(chosen, [[], []]) == {"tasks": 0, "labels": 0, "right": None}


def test_hacking_is_a_share_of_the_accepted_and_rejection_a_share_of_the_right() -> None:
    counted = summarize_hacking([True, True, True, False], [True, True, False, True])
    assert counted["hacking_rate"] == counted["rejected_right_rate"] == 0.3333
    assert summarize_hacking([], [])["hacking_rate"] is None


def test_a_share_of_the_fine_tuning_rows_has_a_wrong_idea() -> None:
    right, mixed = make_sft_rows(200, 0.0), make_sft_rows(200, 0.4)
    changed = [index for index in range(200) if right[index] != mixed[index]]
    assert 0.3 < len(changed) / 200 < 0.5
    assert all(right[index]["messages"][0] == mixed[index]["messages"][0] for index in changed)


def test_a_study_continues_with_the_first_training_that_has_no_row() -> None:
    rows = [{"seed": 0, "labels": kind} for kind in KINDS[:2]]
    assert list_missing(rows, seeds=2) == [(0, kind) for kind in KINDS[2:]] + [(1, kind) for kind in KINDS]
    assert list_missing([{"seed": 0, "labels": kind} for kind in KINDS], seeds=1) == []


def test_a_kept_study_continues_only_with_its_settings() -> None:
    kept = {"steps": 20, "seeds": 3, "wrong_sft": 0.4}
    given = {"steps": 40, "seeds": 5, "wrong_sft": 0.4}
    assert find_changed_settings(kept, given, may_change=("seeds",)) == ["steps: 20 -> 40"]


def test_a_study_without_a_new_setting_ran_with_its_default(tmp_path: Path) -> None:
    options = build_parser().parse_args(["--out", str(tmp_path)])
    kept = {name: value for name, value in select_settings(options).items() if name != "wrong_sft"}
    (tmp_path / "study.json").write_text(json.dumps({"rows": [], "labels": {}, "settings": kept}), encoding="utf-8")
    with Client("http://127.0.0.1:1") as client:
        assert Study(client, options).report["settings"]["wrong_sft"] == 0.0
        options.wrong_sft = 0.4
        with pytest.raises(SystemExit, match=r"wrong_sft: 0.0 -> 0.4"):
            Study(client, options)
