"""Events that a slot and its boxes report, and the tag that goes into a box and must come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import languages
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.observer import Cache, Phase
from sandbox.box.slot import Slot
from sandbox.errors import BoxError
from sandbox.runner.contract import Run

ECHO = languages.get_language("python").build_program("print(input())")


class RecordingObserver:
    """Records all events."""

    def __init__(self) -> None:
        self.phases: list[tuple[Phase, int, int]] = []
        self.cache_uses: list[tuple[Cache, bool]] = []
        self.boxes: list[tuple[str, str]] = []

    def record_phase(self, phase: Phase, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        assert began <= ended
        self.phases.append((phase, sent, received))

    def record_cache_use(self, cache: Cache, hit: bool) -> None:
        self.cache_uses.append((cache, hit))

    def record_box_started(self, image: str) -> None:
        self.boxes.append((image, "started"))

    def record_box_ended(self, image: str, reason: str) -> None:
        self.boxes.append((image, reason))

    def record_failure(self, reason: str, will_retry: bool) -> None:
        raise AssertionError("nothing fails here")


@pytest.fixture
def observer() -> RecordingObserver:
    return RecordingObserver()


@pytest.fixture
def observed_slot(engine: DockerEngine, observer: RecordingObserver) -> Iterator[Slot]:
    slot = Slot(engine, max_runs=2, max_age_s=1_000, observer=observer)
    yield slot
    slot.close()


def test_a_slot_reports_what_its_boxes_do_and_why_they_end(observed_slot: Slot, observer: RecordingObserver) -> None:
    for _ in range(2):
        with observed_slot.lend("python") as box:
            box.load(ECHO)
            assert box.run(Run(stdin=b"four")).stdout == b"four\n"
    assert observer.phases == [("box", 0, 0), ("run", 4, 5), ("box", 0, 0), ("run", 4, 5)]
    assert [use for use in observer.cache_uses if use[0] == "box"] == [("box", False), ("box", True)]
    assert observer.boxes == [("python", "started"), ("python", "run_count")]
    with pytest.raises(BoxError, match="on purpose"), observed_slot.lend("python"):
        raise BoxError("on purpose")
    observed_slot.warm("python")
    observed_slot.close()
    assert observer.boxes[2:] == [
        ("python", "started"),
        ("python", "broken"),
        ("python", "started"),
        ("python", "slot_closes"),
    ]


def test_the_tag_goes_into_the_box_and_back(observed_slot: Slot) -> None:
    observed_slot.tag = "request-7 item-1"
    with observed_slot.lend("python") as box:
        assert box.tag == "request-7 item-1"
        box.load(ECHO)
        assert box.run(Run(stdin=b"1")).ended_well


def test_an_answer_with_another_tag_is_rejected(observed_slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulates that requests and answers have gone out of step."""
    with observed_slot.lend("python") as box:
        box.load(ECHO)
        receive = box._connection.receive

        def receive_with_other_tag() -> object:
            answer, descriptors = receive()
            return {**answer, "tag": "another"}, descriptors

        with monkeypatch.context() as patched:
            patched.setattr(box._connection, "receive", receive_with_other_tag)
            with pytest.raises(BoxError, match="belongs to another request"):
                box.run(Run(stdin=b"1"))
