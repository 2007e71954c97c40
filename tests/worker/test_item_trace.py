"""Test that a trace collects the events of one item, and that observers receive it once."""

from __future__ import annotations

import time

import pytest

from sandbox.queue.job_batch import Item
from sandbox.queue.lifecycle import DropReason, Finished, ItemTrace, LifecycleObserver
from sandbox.request_context import LOG_FIELDS
from sandbox.schema import ExecuteRequest, VerifyRequest
from sandbox.worker.item_trace import ItemTracer, SlotObserver, SlotState, build_log_fields

ACCEPTED = Finished(
    b'{"id":"a","verdict":"accepted","passed":2,"total":2,"tests":[{"verdict":"accepted"},{"verdict":"accepted"}]}',
    "accepted",
    2,
    2,
)


class RecordingObserver(LifecycleObserver, SlotObserver):
    """Records all events."""

    def __init__(self) -> None:
        self.states: list[SlotState] = []
        self.traces: list[ItemTrace] = []
        self.stages: list[str] = []

    def set_slot_state(self, state: SlotState) -> None:
        self.states.append(state)

    def record_started(self, trace: ItemTrace) -> None:
        self.stages.append("started")

    def record_finished(self, trace: ItemTrace) -> None:
        self.stages.append(f"finished with {len(trace.result)} bytes")
        self.traces.append(trace)

    def record_dropped(self, reason: DropReason) -> None:
        self.stages.append(reason)


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@pytest.fixture
def tracer(observer: RecordingObserver) -> ItemTracer:
    """Return a tracer that has just started an item."""
    tracer = ItemTracer([observer], observer)
    tracer.start_item(build_verify_item(), "rl")
    return tracer


def build_verify_item(language: str = "py") -> Item:
    tests = [{"stdin": "", "expected": ""}]
    request = VerifyRequest.model_validate({"language": language, "code": "", "tests": tests})
    return Item(submission="s", index=3, submitted_at=time.time() - 5, client="trainer", request="r-1", verify=request)


def test_a_trace_records_the_time_of_each_phase(observer: RecordingObserver, tracer: ItemTracer) -> None:
    began = time.monotonic()
    tracer.record_phase("box", began, began + 0.001)
    tracer.record_phase("compile", began + 0.001, began + 0.011)
    tracer.record_phase("run", began + 0.011, began + 0.021, sent=3, received=4)
    tracer.record_phase("run", began + 0.025, began + 0.035, sent=1)
    time.sleep(0.05)
    tracer.finish_item(ACCEPTED)
    [trace] = observer.traces
    assert trace.seconds_by_phase == {
        "box": pytest.approx(0.001),
        "compile": pytest.approx(0.01),
        "run": pytest.approx(0.02),
    }
    assert trace.judge_s == pytest.approx(trace.took_s - 0.031, abs=0.001)
    assert (trace.sent_bytes, trace.received_bytes) == (4, 4)
    assert (trace.kind, trace.language, trace.verdict, trace.total) == ("verify", "python", "accepted", 2)
    assert trace.queued_s == pytest.approx(5, abs=0.5)


def test_the_time_of_two_parallel_boxes_counts_once(observer: RecordingObserver, tracer: ItemTracer) -> None:
    began = time.monotonic()
    tracer.record_phase("run", began, began + 0.030)
    tracer.record_phase("run", began + 0.005, began + 0.035)
    time.sleep(0.04)
    tracer.finish_item(ACCEPTED)
    assert observer.traces[0].covered_s == pytest.approx(0.035)


def test_a_slot_is_warming_while_it_waits_for_a_box(observer: RecordingObserver) -> None:
    tracer = ItemTracer([observer], observer)
    tracer.set_idle()
    tracer.start_item(build_verify_item(), "rl")
    tracer.record_cache_use("box", False)
    now = time.monotonic()
    tracer.record_phase("box", now - 0.3, now)
    tracer.finish_item(ACCEPTED)
    tracer.set_idle()
    assert observer.states == ["warming", "idle", "busy", "warming", "busy", "idle"]
    assert observer.traces[0].cache_uses == {("box", False): 1}


def test_events_between_items_belong_to_no_item(observer: RecordingObserver) -> None:
    tracer = ItemTracer([observer], observer)
    tracer.record_phase("box", 0.0, 1.0)
    tracer.record_cache_use("box", True)
    tracer.finish_item(ACCEPTED)
    assert observer.traces == []


def test_an_observer_sees_the_stages_of_an_item_in_order(observer: RecordingObserver) -> None:
    tracer = ItemTracer([observer])
    tracer.start_item(build_verify_item(), "rl")
    tracer.finish_item(ACCEPTED)
    tracer.start_item(build_verify_item(), "rl")
    tracer.drop_item("cancelled")
    tracer.finish_item(ACCEPTED)
    assert observer.stages == ["started", f"finished with {len(ACCEPTED.json)} bytes", "started", "cancelled"]
    assert observer.traces[0].result == b"", "a trace that an observer keeps must not hold the result in memory"


def test_every_log_line_during_an_item_has_its_ids() -> None:
    tracer = ItemTracer()
    item = build_verify_item()
    tracer.start_item(item, "rl")
    assert LOG_FIELDS.get() == build_log_fields(item, "rl")
    assert build_log_fields(item, "rl") == {
        "submission": "s",
        "item": "s.3",
        "lane": "rl",
        "request": "r-1",
        "key": "trainer",
    }
    tracer.set_idle()
    assert LOG_FIELDS.get() == {}


@pytest.mark.parametrize(("named", "counted"), [("py", "python"), ("c++", "cpp"), ("made up", "unknown")])
def test_names_that_clients_invent_do_not_create_metric_series(
    named: str, counted: str, observer: RecordingObserver
) -> None:
    tracer = ItemTracer([observer], observer)
    request = ExecuteRequest(language=named, code="")
    tracer.start_item(Item(submission="s", submitted_at=time.time(), execute=request), "rl")
    tracer.finish_item(Finished(b'{"status":"ok"}', "ok"))
    assert observer.traces[0].language == counted
