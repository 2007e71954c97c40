"""What those see who watch the service: slots, lanes, verdicts of the last minutes, what ended last. Never any code."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

SlotState = Literal["idle", "busy", "warming", "draining", "silent"]


class RunningItem(BaseModel):
    """What a slot works on."""

    id: str
    kind: str
    language: str
    lane: str


class LiveSlot(BaseModel):
    """One slot, as its worker's last heartbeat told it."""

    name: str
    host: str = ""
    engine: str = ""
    express: bool = Field(False, description="no slot, but a worker for what waits behind long programs of other lanes")
    state: SlotState = Field(
        description="warming: it waits for a box; silent: no heartbeat for a lease, so its work goes to others"
    )
    heard_s: float = Field(description="seconds since its last heartbeat")
    since: float | None = Field(None, description="when what runs began, in seconds since the epoch")
    running: RunningItem | None = None
    done: int = Field(0, description="results since the worker started")
    boxes: list[str] = Field(default_factory=list, description="warm boxes by image")
    waiting_since: float | None = Field(
        None, description="since when it has been waiting for a box to start, in seconds since the epoch"
    )
    waiting_for: str = Field("", description="why the box does not start")


class LiveLane(BaseModel):
    """One lane, in the order in which workers empty them."""

    name: str
    queued: int = Field(description="submissions that wait for a worker")
    oldest_s: float = Field(description="age of the oldest envelope that is not done, running ones too; 0: none")


class LiveSecond(BaseModel):
    """The verdicts of one second."""

    at: int = Field(description="seconds since the epoch")
    verdicts: dict[str, int] = Field(description="verdict, or status of what was only run -> number")


class LiveResult(BaseModel):
    """One result, in short."""

    id: str
    job: str | None = Field(None, description="where it can be read in full: `/jobs/{job}`; null: it was not kept")
    kind: str
    language: str
    lane: str
    verdict: str = Field(description="the verdict, or the status of what was only run; of a vote `ok`")
    passed: int | None = None
    total: int | None = None
    at: float = Field(description="when it ended, in seconds since the epoch")
    queued_s: float
    took_s: float
    worker: str


class LiveView(BaseModel):
    """One look at all of it. Seconds without verdicts are left out; `recent` has the newest first."""

    at: float
    slots: list[LiveSlot]
    lanes: list[LiveLane]
    seconds: list[LiveSecond]
    recent: list[LiveResult]
