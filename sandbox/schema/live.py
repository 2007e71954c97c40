"""The live view: slots, lanes, recent verdicts and recent results. It never contains any code."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from sandbox.schema.sessions import SessionHost, SessionSummary

SlotState = Literal["idle", "busy", "warming", "draining", "silent"]


class RunningItem(BaseModel):
    """The item that a slot is working on."""

    id: str
    kind: str
    language: str
    lane: str


class LiveSlot(BaseModel):
    """One slot, as its worker last reported it."""

    name: str
    host: str = ""
    engine: str = ""
    express: bool = Field(False, description="a reserved worker, for items stuck behind long programs of other lanes")
    state: SlotState = Field(
        description="warming: waits for a box; silent: sent no heartbeat for a lease, so other workers take its work"
    )
    heard_s: float = Field(description="seconds since its last heartbeat")
    since: float | None = Field(None, description="when the running item started, in seconds since the epoch")
    running: RunningItem | None = None
    done: int = Field(0, description="results since the worker started")
    boxes: list[str] = Field(default_factory=list, description="warm boxes by image")
    waiting_since: float | None = Field(
        None, description="when it began to wait for a box to start, in seconds since the epoch"
    )
    waiting_for: str = Field("", description="why the box does not start")


class LiveLane(BaseModel):
    """One lane. Lanes are listed in the order in which workers empty them."""

    name: str
    queued: int = Field(description="submissions that wait for a worker")
    oldest_s: float = Field(description="age of the oldest unfinished batch, waiting or running; 0: none")


class LiveSecond(BaseModel):
    """The verdicts of one second."""

    at: int = Field(description="seconds since the epoch")
    verdicts: dict[str, int] = Field(description="count per verdict, or per status for programs that were only run")


class LivePeriod(BaseModel):
    """The verdicts of some minutes."""

    at: int = Field(description="when it begins, in seconds since the epoch")
    verdicts: dict[str, int] = Field(description="as in the live view")


class LiveHistory(BaseModel):
    """The verdicts of the last hours, in periods of equal length. Periods without verdicts are left out."""

    at: float
    step_s: int = Field(description="length of a period in seconds")
    periods: list[LivePeriod]


class LiveResult(BaseModel):
    """A summary of one result."""

    id: str
    job: str | None = Field(None, description="its full result is at `/jobs/{job}`; null: not stored")
    kind: str
    language: str
    lane: str
    verdict: str = Field(description="the verdict, the status if the program was only run, or `ok` for a vote")
    passed: int | None = None
    total: int | None = None
    at: float = Field(description="when it ended, in seconds since the epoch")
    queued_s: float
    took_s: float
    worker: str


class LiveSession(SessionSummary):
    """An open session. `expires_at` is at most a few seconds old."""

    host: str = Field("", description="empty: its host is gone, and the next call rebuilds it (`replay`)")


class LiveSessions(BaseModel):
    """The session hosts, and the latest 50 open sessions."""

    hosts: list[SessionHost]
    latest: list[LiveSession]


class LiveView(BaseModel):
    """A snapshot of the service. Seconds without verdicts are left out; `recent` lists the newest results first."""

    at: float
    slots: list[LiveSlot]
    lanes: list[LiveLane]
    seconds: list[LiveSecond]
    recent: list[LiveResult]
    sessions: LiveSessions | None = Field(None, description="null: no session host is alive, and no session is open")
