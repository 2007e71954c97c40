"""Results become rows of the matrix, and mutants are compared with the first right program by its own outputs."""

from __future__ import annotations

import json
from typing import Any

from sandbox.errors import BoxError
from sandbox.runner.contract import Verdict
from sandbox.verify.quality_rows import JudgedRow, compare_rows, read_verdicts


def encode(verdict: str, *tests: str, **fields: Any) -> bytes:
    return json.dumps({"verdict": verdict, "tests": [{"verdict": each} for each in tests], **fields}).encode()


def judged(*verdicts: Verdict) -> JudgedRow:
    return JudgedRow(list(verdicts), [0.0] * len(verdicts), "lost" if Verdict.INTERNAL_ERROR in verdicts else "")


def test_a_result_has_one_verdict_for_each_test() -> None:
    row = read_verdicts(encode("wrong_answer", "accepted", "wrong_answer"), 2)
    assert row == JudgedRow([Verdict.ACCEPTED, Verdict.WRONG_ANSWER], [0.0, 0.0], "")


def test_a_program_that_does_not_compile_shows_the_compilers_message() -> None:
    row = read_verdicts(encode("compile_error", compile={"stderr": "main.cpp:1: error"}), 2)
    assert row == JudgedRow([Verdict.COMPILE_ERROR] * 2, [0.0] * 2, "main.cpp:1: error")


def test_a_missing_result_is_unknown_on_every_test() -> None:
    assert read_verdicts(BoxError("gone"), 2) == JudgedRow([Verdict.INTERNAL_ERROR] * 2, [0.0] * 2, "gone")
    assert read_verdicts(encode("internal_error"), 2).verdicts == [Verdict.INTERNAL_ERROR] * 2


def test_mutants_are_compared_where_the_golden_program_repeats_itself() -> None:
    right, wrong, unknown = Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.INTERNAL_ERROR
    rows = {
        0: judged(right, wrong, right),
        4: judged(right, right, wrong),
        5: judged(right, wrong, right),
        6: judged(right, right, unknown),
        7: judged(wrong, right, unknown),
    }
    comparison = compare_rows(rows, [0, 2, 3], 4)
    assert comparison.differs_on == {4: [3], 5: [], 7: [0]}
    assert comparison.unjudged == {6: "lost"}
    assert (comparison.unused_inputs, comparison.used) == ([1, 2], 2)


def test_a_mutant_that_does_not_differ_is_unjudged_if_the_service_lost_an_input() -> None:
    right, wrong, lost = Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.INTERNAL_ERROR
    rows = {0: judged(right, right), 3: judged(right, right), 4: judged(wrong, right)}
    comparison = compare_rows(rows, [0, 2], 4, lost=[3])
    assert comparison.differs_on == {4: [0]}
    assert comparison.unjudged == {3: "the service failed to run an input"}
    assert (comparison.unused_inputs, comparison.lost_inputs, comparison.used) == ([1], [3], 2)
    again = compare_rows({**rows, 0: judged(right, lost)}, [0, 2], 3)
    assert (again.differs_on, list(again.unjudged)) == ({4: [0]}, [3])
    assert (again.unused_inputs, again.lost_inputs, again.used) == ([1], [2], 1)
