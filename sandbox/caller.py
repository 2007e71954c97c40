"""Who asks: set by the API for the time of one request where there are keys, and read by the service."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    SUBMIT = "submit"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """A client known by its key.

    `rate` and `burst` count items (programs) a second and at once, `max_queued` items that have no result yet,
    `max_kept_mb` is the MiB of requests, results and task sets kept for it; 0 is no limit.
    """

    id: str
    role: Role = Role.SUBMIT
    rate: float = 0.0
    burst: int = 0
    max_queued: int = 0
    max_kept_mb: int = 0

    def may_see(self, owner: str) -> bool:
        """Whether a job made by `owner` is this caller's business."""
        return self.role is Role.ADMIN or self.id == owner


CURRENT_CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)
