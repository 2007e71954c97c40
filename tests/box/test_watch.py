"""What a slot and its boxes tell who watches them, and the tag that goes into a box and must come back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox import languages
from sandbox.box.docker_engine import DockerEngine
from sandbox.box.slot import Slot
from sandbox.box.watch import Cache, Stage
from sandbox.errors import BoxError
from sandbox.runner.contract import Run

ECHO = languages.named("python").program("print(input())")


class Seen:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.stages: list[tuple[Stage, int, int]] = []
        self.uses: list[tuple[Cache, bool]] = []
        self.boxes: list[tuple[str, str]] = []

    def stage(self, stage: Stage, began: float, ended: float, sent: int = 0, received: int = 0) -> None:
        assert began <= ended
        self.stages.append((stage, sent, received))

    def used(self, cache: Cache, hit: bool) -> None:
        self.uses.append((cache, hit))

    def started(self, image: str) -> None:
        self.boxes.append((image, "started"))

    def ended(self, image: str, reason: str) -> None:
        self.boxes.append((image, reason))

    def failed(self, reason: str, again: bool) -> None:
        raise AssertionError("nothing fails here")


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def watched(engine: DockerEngine, seen: Seen) -> Iterator[Slot]:
    slot = Slot(engine, max_runs=2, max_age_s=1_000, watch=seen)
    yield slot
    slot.close()


def test_a_slot_tells_what_its_boxes_do_and_why_they_end(watched: Slot, seen: Seen) -> None:
    for _ in range(2):
        with watched.lend("python") as box:
            box.load(ECHO)
            assert box.run(Run(stdin=b"four")).stdout == b"four\n"
    assert seen.stages == [("box", 0, 0), ("run", 4, 5), ("box", 0, 0), ("run", 4, 5)]
    assert [use for use in seen.uses if use[0] == "box"] == [("box", False), ("box", True)]
    assert seen.boxes == [("python", "started"), ("python", "run_count")]
    with pytest.raises(BoxError, match="on purpose"), watched.lend("python"):
        raise BoxError("on purpose")
    watched.warm("python")
    watched.close()
    assert seen.boxes[2:] == [
        ("python", "started"),
        ("python", "broken"),
        ("python", "started"),
        ("python", "slot_closes"),
    ]


def test_the_tag_goes_into_the_box_and_back(watched: Slot) -> None:
    watched.tag = "request-7 item-1"
    with watched.lend("python") as box:
        assert box.tag == "request-7 item-1"
        box.load(ECHO)
        assert box.run(Run(stdin=b"1")).ended_well


def test_an_answer_with_another_tag_is_no_answer(watched: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when what was asked and what was answered have come apart."""
    with watched.lend("python") as box:
        box.load(ECHO)
        receive = box._receive

        def later() -> object:
            answer, descriptors = receive()
            return {**answer, "tag": "another"}, descriptors

        with monkeypatch.context() as patched:
            patched.setattr(box, "_receive", later)
            with pytest.raises(BoxError, match="not to what was asked"):
                box.run(Run(stdin=b"1"))
