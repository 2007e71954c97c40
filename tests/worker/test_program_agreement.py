"""Checker programs of votes in real boxes: verdicts, broken checkers, and boxes that fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.box.docker.engine import DockerEngine
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.runner.contract import Outcome, Status, Verdict
from sandbox.schema.checkers import ProgramChecker
from sandbox.verify.agreement import CheckerLost
from sandbox.worker.program_agreement import ProgramAgreement

SLOT = 138
SUM = """
import sys
total = int(open(sys.argv[1]).read())
numbers = open(sys.argv[2]).read().split()
sys.exit(0 if sum(map(int, numbers)) == total else 1)
"""


@pytest.fixture(scope="module")
def slot(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slot]:
    assert images
    engine = DockerEngine(WorkerSettings(home=Path(tmp_path_factory.mktemp("agreement"))), SLOT)
    slot = Slot(engine, 1_000, 1_000.0)
    yield slot
    slot.close()
    engine.close()


def print_text(text: bytes) -> Outcome:
    return Outcome(Status.OK, exit_code=0, stdout=text)


def build_agreement(code: str, *stdins: bytes, language: str = "python") -> ProgramAgreement:
    return ProgramAgreement(ProgramChecker(type="program", language=language, code=code), stdins)


def test_a_checker_judges_and_a_known_verdict_is_not_computed_again(slot: Slot) -> None:
    agreement = build_agreement(SUM, b"10", b"11")

    def judge() -> list[Verdict]:
        pairs = [(0, b"3 7"), (1, b"3 7"), (0, b"3 7"), (0, b"x")]
        return [agreement.judge(position, print_text(output), b"5 5").verdict for position, output in pairs]

    right, wrong = Verdict.ACCEPTED, Verdict.WRONG_ANSWER
    assert agreement.run(slot, judge) == [right, wrong, right, wrong]
    runs = slot._boxes["python"].runs
    assert agreement.run(slot, judge) == [right, wrong, right, wrong]
    assert slot._boxes["python"].runs == runs
    assert agreement.lost == 0


def test_a_checker_that_does_not_compile_says_so(slot: Slot) -> None:
    agreement = build_agreement("int main( {", b"10", language="cpp")
    verdict = agreement.run(slot, lambda: agreement.judge(0, print_text(b"3 7"), b"5 5").verdict)
    assert verdict is Verdict.INTERNAL_ERROR
    assert "error" in agreement.compile_message


def test_a_pair_on_which_every_box_fails_is_lost_and_the_others_are_not(slot: Slot) -> None:
    agreement = build_agreement(SUM, b"10", b"11", b"12")
    starts = 0

    def judge_all() -> list[Verdict | None]:
        nonlocal starts
        starts += 1
        return [judge(position) for position in range(3)]

    def judge(position: int) -> Verdict | None:
        if position == 1:
            slot._boxes["python"].close()
        try:
            return agreement.judge(position, print_text(b"5 %d" % (5 + position)), b"x").verdict
        except CheckerLost:
            return None

    assert agreement.run(slot, judge_all) == [Verdict.ACCEPTED, None, None]
    assert starts > 3, "every box failed on the second pair, and then the last one had no box"
    assert agreement.lost
