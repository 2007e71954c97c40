"""Test the slot check: the self-test, its repetition, waiting for a box, and recovery."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from sandbox import languages
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.leftovers import remove_boxes
from sandbox.box.slot import Slot
from sandbox.config import QueueSettings, WorkerSettings
from sandbox.errors import BoxError, CannotRun, EngineUnavailable
from sandbox.queue import redis_keys
from sandbox.service import Service
from sandbox.worker import retry
from sandbox.worker.retry import run_with_retries
from sandbox.worker.slot_check import SlotCallbacks, SlotCheck, run_self_test
from tests.box.wrapped_engine import FailingEngine, LateEngine
from tests.queue.submit_and_wait import wait_until
from tests.worker_processes import WorkerProcesses

SLOT = 136
PYTHON = languages.get_language("python")


@pytest.fixture
def engine(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[FailingEngine]:
    assert images
    engine = FailingEngine(DockerEngine(WorkerSettings(home=Path(tmp_path_factory.mktemp("check"))), SLOT))
    yield engine
    engine.close()


@pytest.fixture
def slot(engine: FailingEngine) -> Iterator[Slot]:
    slot = Slot(engine, 1_000, 1_000.0)
    yield slot
    slot.close()


def _build_check(slot: Slot, events: list[str]) -> SlotCheck:
    return SlotCheck(slot, run_self_test, SlotCallbacks(lambda: events.append("waits"), lambda: events.append("ready")))


def test_a_slot_is_ready_when_it_has_judged_a_program(slot: Slot) -> None:
    events: list[str] = []
    check = _build_check(slot, events)
    assert not check.can_serve()
    assert check.describe_wait() is not None
    assert check.ensure_ready()
    assert (events, check.describe_wait(), slot.list_box_keys()) == (["ready"], None, ["python"])


def test_a_slot_without_a_box_takes_nothing_reports_why_and_recovers(slot: Slot, engine: FailingEngine) -> None:
    events: list[str] = []
    check = _build_check(slot, events)
    engine.failures["python"] = BoxError("no space left")
    began = time.time()
    assert not check.ensure_ready()
    waiting = check.describe_wait()
    assert waiting is not None
    assert (waiting["image"], waiting["why"], waiting["serves"]) == ("python", "no space left", False)
    assert began - 1 <= waiting["since"] <= time.time()
    assert not check.ensure_ready()
    del engine.failures["python"]
    assert check.ensure_ready()
    assert events[-1] == "ready"
    assert check.describe_wait() is None


def test_an_image_that_does_not_start_does_not_affect_the_others(
    slot: Slot, engine: FailingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "ENGINE_TIMEOUT_S", 0.5)
    check = _build_check(slot, [])
    assert check.ensure_ready()
    for failure in (EngineUnavailable("image gone"), BoxError("engine gone")):
        engine.failures["cpp"] = failure
        with pytest.raises(CannotRun, match="gone"):
            run_with_retries(slot, languages.get_language("cpp"), lambda box: None)
        assert check.ensure_ready()
        assert slot.list_box_keys() == ["python"]
        waiting = check.describe_wait()
        assert waiting is not None
        assert (waiting["image"], waiting["serves"]) == ("cpp", True)
        assert waiting["only_image"] is isinstance(failure, EngineUnavailable)


def test_failures_to_start_a_box_do_not_count_as_tries_of_the_program(slot: Slot, engine: FailingEngine) -> None:
    flaky = LateEngine(engine, failing_starts=4, error=BoxError("not yet"))
    patient = Slot(flaky, 1_000, 1_000.0)
    assert run_with_retries(patient, PYTHON, lambda box: "ran") == "ran"
    assert flaky.starts == 5
    patient.close()


def test_a_program_that_breaks_every_box_does_not_stop_the_slot(slot: Slot) -> None:
    check = _build_check(slot, [])
    assert check.ensure_ready()

    def break_box(box: object) -> None:
        raise BoxError("broken by this program")

    with pytest.raises(BoxError):
        run_with_retries(slot, PYTHON, break_box)
    assert slot.repeated_failure == "broken by this program"
    check.repeat_self_test(slot.repeated_failure)
    assert check.can_serve()


def test_a_slot_that_fails_its_self_test_takes_nothing(slot: Slot) -> None:
    works = True

    def self_test(slot: Slot) -> None:
        if not works:
            raise BoxError("run not started")

    events: list[str] = []
    check = SlotCheck(slot, self_test, SlotCallbacks(lambda: events.append("waits"), lambda: events.append("ready")))
    assert check.ensure_ready()
    works = False
    with pytest.raises(CannotRun, match="run not started"):
        check.repeat_self_test("every box broke")
    assert not check.ensure_ready()
    works = True
    assert check.ensure_ready()
    assert (events[0], events[-1]) == ("ready", "ready")
    assert "waits" in events


def test_a_worker_whose_self_test_gets_a_different_verdict_is_never_ready(
    service: Service, settings: QueueSettings, redis: Redis, images: dict[str, str]
) -> None:
    assert images
    with WorkerProcesses(settings, SLOT + 1) as worker_processes:
        worker_processes.prelude = (
            "from sandbox.worker import slot_check; "
            "slot_check.SELF_TEST = slot_check.SELF_TEST.model_copy(update={'code': 'print(41)'}); "
        )
        worker_processes._start_one(())
        wait_until(
            lambda: "print(6 * 7) was judged wrong_answer" in " ".join(service.check_readiness().problems),
            "readiness says so",
        )
        assert not service.check_readiness().ready
        assert redis.zcard(redis_keys.WORKERS) == 0
    remove_boxes(settings.home)
