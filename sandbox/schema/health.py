"""Whether the service can judge submissions now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# Of Redis's append-only file: `off` if Redis writes none, `failing` if the latest write or rewrite failed.
AppendOnlyState = Literal["ok", "failing", "off", "unknown"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether submissions can be served now, and the problems that prevent it.

    `waiting_for_box_s` is the longest time that any worker has waited for a box to start.
    """

    ready: bool
    workers: int
    queued: dict[str, int] = field(default_factory=dict)
    engine: str = ""
    missing_walls: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    oldest_s: dict[str, float] = field(default_factory=dict)
    waiting_for_box_s: float = 0.0
    storage_bytes: dict[str, int] = field(default_factory=dict)
    session_hosts: int = 0
    append_only: AppendOnlyState = "unknown"
