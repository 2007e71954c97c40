"""A journey adds up what a slot says of one item; who watches is told once."""

from __future__ import annotations

import time

import pytest

from sandbox.jobs.envelope import Item
from sandbox.jobs.journal import Blind, Journal, Journey, SlotState, fields_of
from sandbox.origin import LOGGED
from sandbox.schema import ExecuteRequest, VerifyRequest

ACCEPTED = (
    b'{"id":"a","verdict":"accepted","passed":2,"total":2,"tests":[{"verdict":"accepted"},{"verdict":"accepted"}]}'
)


class Seen(Blind):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.states: list[SlotState] = []
        self.journeys: list[Journey] = []

    def slot_is(self, state: SlotState) -> None:
        self.states.append(state)

    def arrived(self, journey: Journey) -> None:
        self.journeys.append(journey)


@pytest.fixture
def seen() -> Seen:
    return Seen()


def verify_item(language: str = "py") -> Item:
    tests = [{"stdin": "", "expected": ""}]
    request = VerifyRequest.model_validate({"language": language, "code": "", "tests": tests})
    return Item(submission="s", index=3, submitted_at=time.time() - 5, client="trainer", request="r-1", verify=request)


def test_a_journey_says_where_the_time_went(seen: Seen) -> None:
    journal = Journal(seen)
    journal.begins(verify_item(), "rl")
    began = time.monotonic()
    journal.stage("box", began, began + 0.001)
    journal.stage("compile", began + 0.001, began + 0.011)
    journal.stage("run", began + 0.011, began + 0.021, sent=3, received=4)
    journal.stage("run", began + 0.025, began + 0.035, sent=1)
    time.sleep(0.05)
    journal.ends(ACCEPTED)
    [journey] = seen.journeys
    assert journey.seconds == {"box": pytest.approx(0.001), "compile": pytest.approx(0.01), "run": pytest.approx(0.02)}
    assert journey.judge_s == pytest.approx(journey.took_s - 0.031, abs=0.001)
    assert (journey.sent, journey.received) == (4, 4)
    assert (journey.kind, journey.language, journey.verdict, journey.total) == ("verify", "python", "accepted", 2)
    assert journey.queued_s == pytest.approx(5, abs=0.5)


def test_two_boxes_that_run_side_by_side_take_their_time_once(seen: Seen) -> None:
    journal = Journal(seen)
    journal.begins(verify_item(), "rl")
    began = time.monotonic()
    journal.stage("run", began, began + 0.030)
    journal.stage("run", began + 0.005, began + 0.035)
    time.sleep(0.04)
    journal.ends(ACCEPTED)
    assert seen.journeys[0].covered_s == pytest.approx(0.035)


def test_a_slot_is_warming_while_it_waits_for_a_box(seen: Seen) -> None:
    journal = Journal(seen)
    journal.rests()
    journal.begins(verify_item(), "rl")
    journal.used("box", False)
    now = time.monotonic()
    journal.stage("box", now - 0.3, now)
    journal.ends(ACCEPTED)
    journal.rests()
    assert seen.states == ["warming", "idle", "busy", "warming", "busy", "idle"]
    assert seen.journeys[0].uses == {("box", False): 1}


def test_what_is_said_between_items_belongs_to_none(seen: Seen) -> None:
    journal = Journal(seen)
    journal.stage("box", 0.0, 1.0)
    journal.used("box", True)
    journal.ends(ACCEPTED)
    assert seen.journeys == []


def test_every_line_logged_meanwhile_has_the_items_ids() -> None:
    journal = Journal()
    item = verify_item()
    journal.begins(item, "rl")
    assert LOGGED.get() == fields_of(item, "rl")
    assert fields_of(item, "rl") == {"submission": "s", "item": "s.3", "lane": "rl", "request": "r-1", "key": "trainer"}
    journal.rests()
    assert LOGGED.get() == {}


@pytest.mark.parametrize(("named", "counted"), [("py", "python"), ("c++", "cpp"), ("made up", "unknown")])
def test_what_clients_make_up_is_no_series_of_its_own(named: str, counted: str, seen: Seen) -> None:
    journal = Journal(seen)
    request = ExecuteRequest(language=named, code="")
    journal.begins(Item(submission="s", submitted_at=time.time(), execute=request), "rl")
    journal.ends(b'{"status":"ok"}')
    assert seen.journeys[0].language == counted
