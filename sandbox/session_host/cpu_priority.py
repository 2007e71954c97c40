"""Let session boxes use the CPU that nothing else needs, without starving their calls.

Theory of operation. All session boxes of a host have one parent cgroup. It has a small share of the CPU while a request
is in progress that has not computed for long. Otherwise it is idle: a worker that wakes up preempts it at once, where
it would have to wait for the end of a time slice of a session's loop. An idle cgroup gets nearly nothing on a busy
machine. The parent therefore has a turn with a normal share in each interval.

Among themselves, boxes that compute for long are idle, too. A new call need not wait for the loops of others. What
counts is CPU time: on a busy machine, a call may take long because it waits, and must not wait even longer then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from sandbox.box.docker.session_cgroup import CpuGroup
from sandbox.box.engine import BoxHandle
from sandbox.session_host.session_box import SessionBox

REVIEW_INTERVAL_S = 0.2
LONG_CPU_S = 0.1  # most calls use less
TURN_INTERVAL_S = 0.5
TURN_S = 0.04  # with half of the CPU, because the share is that of all other boxes together: 4 % of the time


class Priority(Enum):
    """How the parent cgroup competes with the rest of the machine."""

    IDLE = "idle"
    SMALL_SHARE = "small share"
    TURN = "turn"


@dataclass(slots=True)
class _Member:
    box: SessionBox
    group: CpuGroup
    is_idle: bool = False
    request_at: float = 0.0  # when the latest request began that was in progress at the last review
    used_before_s: float = 0.0  # the CPU time at the first review that saw this request

    def set_idle(self, idle: bool) -> None:
        if idle != self.is_idle:
            self.is_idle = idle
            self.group.set_idle(idle)

    def review(self) -> None:
        """Make the box idle if no request is in progress, or if the latest one has used much CPU time."""
        request_at, used_s = self.box.latest_request_at, self.group.read_used_s()
        if request_at != self.request_at:
            self.request_at, self.used_before_s = request_at, used_s
        self.set_idle(not request_at or used_s - self.used_before_s >= LONG_CPU_S)


class CpuPriority:
    """Changes the priority of session boxes as requests come and end. Not thread-safe: use it in one event loop.

    `find_group` returns the CPU cgroup of a box, or None if it cannot be changed. Without it, nothing is changed.
    """

    def __init__(self, find_group: Callable[[BoxHandle], CpuGroup | None] = lambda handle: None) -> None:
        self._find_group = find_group
        self._members: dict[int, _Member] = {}
        self._parent: CpuGroup | None = None
        self._priority: Priority | None = None
        self._starting = 0
        self._review: asyncio.TimerHandle | None = None

    def add(self, box: SessionBox) -> None:
        """Control the priority of a box from now on."""
        if (group := self._find_group(box.handle)) is None:
            return
        self._parent = group.parent
        if self._priority is None:
            self._set(Priority.SMALL_SHARE)
        member = self._members[id(box)] = _Member(box, group)
        box.on_request = lambda: self._wake(member)

    def remove(self, box: SessionBox) -> None:
        """Forget a box that is about to be destroyed."""
        self._members.pop(id(box), None)

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Keep the small share while a box starts in the `with` block."""
        self._starting += 1
        self._raise_priority()
        try:
            yield
        finally:
            self._starting -= 1

    async def give_turn(self) -> None:
        """Let the boxes compete as any other process for a moment."""
        if self._priority is None:
            return
        self._set(Priority.TURN)
        try:
            await asyncio.sleep(TURN_S)
        finally:
            self._set(self._choose())

    def close(self) -> None:
        """Change nothing any more."""
        if self._review is not None:
            self._review.cancel()
        self._parent = None

    def _wake(self, member: _Member) -> None:
        member.set_idle(False)
        self._raise_priority()

    def _raise_priority(self) -> None:
        if self._priority in {None, Priority.IDLE}:
            self._set(Priority.SMALL_SHARE)
        self._review_later()

    def _review_later(self) -> None:
        if self._review is None and self._parent is not None:
            self._review = asyncio.get_running_loop().call_later(REVIEW_INTERVAL_S, self._lower_priority)

    def _lower_priority(self) -> None:
        """Make boxes idle that compute for long or do nothing, and their parent, too, if there are no others."""
        self._review = None
        for member in self._members.values():
            member.review()
        chosen = self._choose()
        if self._priority is not Priority.TURN:
            self._set(chosen)
        if chosen is Priority.SMALL_SHARE:
            self._review_later()

    def _choose(self) -> Priority:
        is_wanted = self._starting or any(not member.is_idle for member in self._members.values())
        return Priority.SMALL_SHARE if is_wanted else Priority.IDLE

    def _set(self, priority: Priority) -> None:
        if self._parent is None:
            return
        self._priority = priority
        self._parent.set_idle(priority is Priority.IDLE)
        if priority is Priority.SMALL_SHARE:
            self._parent.limit_share()
