"""Let session boxes use the CPU that nothing else needs, without starving their calls.

Theory of operation. A call that has computed for long is a background load: its box is idle (in the sense of the
scheduler), so that verdicts and new calls preempt it at once, and it may only use what everything else leaves free.
Each of these boxes gets a quota, its part of the CPUs that are not in use. The scheduler alone is not enough: a
loop that runs in the short pauses of a worker fills the CPU's caches and so delays the worker. A small part of the
machine always remains, so that no call starves.

All session boxes of a host have one parent cgroup. It has a small share of the CPU, and is idle while only calls that
compute for long are in progress and there is CPU to spare. An idle cgroup gets nearly nothing on a full machine.

What counts as long is CPU time: on a busy machine, a call may take long because it waits, and must not wait even longer
then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sandbox.box.docker.session_cgroup import CpuGroup
from sandbox.box.engine import BoxHandle
from sandbox.session_host.cpu_demand import CpuDemand
from sandbox.session_host.session_box import SessionBox

REVIEW_INTERVAL_S = 0.1
LONG_CPU_S = 0.1  # most calls use less
RESERVE = 0.5  # as a share of what everything else uses: verdicts may need this much more in the next interval
LEAST_PART = 0.05  # of the machine, for all long calls together
NOTICEABLE_CPUS = 0.01  # sessions that use less need no quota


@dataclass(slots=True)
class _Member:
    box: SessionBox
    group: CpuGroup
    full_cpus: float  # of the box alone, as it was started
    is_idle: bool = False
    cpus: float = 0.0  # that the box may use
    request_at: float = 0.0  # when the latest request began that was in progress at the last review
    used_before_s: float = 0.0  # the CPU time at the first review that saw this request
    used_s: float = 0.0
    is_busy: bool = False  # has used CPU time since the last review

    def set_idle(self, idle: bool) -> None:
        if idle != self.is_idle:
            self.is_idle = idle
            self.group.set_idle(idle)
        if not idle:
            self.limit_cpus(self.full_cpus)

    def limit_cpus(self, cpus: float) -> None:
        if (cpus := min(cpus, self.full_cpus)) != self.cpus:
            self.cpus = cpus
            self.group.limit_cpus(cpus)

    def review(self) -> None:
        """Make the box idle if no request is in progress, or if the latest one has used much CPU time."""
        request_at, used_s = self.box.latest_request_at, self.group.read_used_s()
        if request_at != self.request_at:
            self.request_at, self.used_before_s = request_at, used_s
        self.is_busy, self.used_s = used_s > self.used_s, used_s
        self.set_idle(not request_at or used_s - self.used_before_s >= LONG_CPU_S)


class CpuPriority:
    """Changes the priority of session boxes as requests come and end. Not thread-safe: use it in one event loop.

    `find_group` returns the CPU cgroup of a box, or None if it cannot be changed. Without it, nothing is changed.
    """

    def __init__(
        self,
        find_group: Callable[[BoxHandle], CpuGroup | None] = lambda handle: None,
        measure: Callable[[CpuGroup], CpuDemand] = CpuDemand,
    ) -> None:
        self._find_group = find_group
        self._measure = measure
        self._members: dict[int, _Member] = {}
        self._parent: CpuGroup | None = None
        self._parent_is_idle: bool | None = None
        self._demand: CpuDemand | None = None
        self._starting = 0
        self._is_full = False

    def add(self, box: SessionBox) -> None:
        """Control the priority of a box from now on."""
        if (group := self._find_group(box.handle)) is None:
            return
        if self._parent is None:
            self._parent = group.parent
            self._demand = self._measure(group.parent)
        full_cpus = group.read_cpus()
        member = self._members[id(box)] = _Member(box, group, full_cpus, cpus=full_cpus)
        box.on_request = lambda: self._wake(member)
        self._set_parent_idle(self._choose())

    def remove(self, box: SessionBox) -> None:
        """Forget a box that is about to be destroyed."""
        if (member := self._members.pop(id(box), None)) is not None:
            member.set_idle(False)  # its processes end sooner

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Keep the small share while a box starts in the `with` block."""
        self._starting += 1
        self._set_parent_idle(False)
        try:
            yield
        finally:
            self._starting -= 1

    async def run(self) -> None:
        """Review all boxes in each interval until cancelled."""
        while True:
            await asyncio.sleep(REVIEW_INTERVAL_S)
            self.review()

    def review(self) -> None:
        """Make boxes idle that compute for long or do nothing, and give those that compute what others leave free."""
        if self._demand is None or not self._members:
            return
        self._demand.read()
        if self._parent_is_idle and self._demand.sessions < NOTICEABLE_CPUS:
            return
        for member in self._members.values():
            member.review()
        least = LEAST_PART * self._demand.cpus
        free = self._demand.cpus - (1 + RESERVE) * self._demand.others
        self._is_full = free <= least
        if computing := [member for member in self._members.values() if member.is_idle and member.is_busy]:
            for member in computing:
                member.limit_cpus(max(least, free) / len(computing))
        self._set_parent_idle(self._choose())

    def close(self) -> None:
        """Change nothing any more."""
        self._parent = None

    def _wake(self, member: _Member) -> None:
        member.set_idle(False)
        self._set_parent_idle(False)

    def _choose(self) -> bool:
        is_wanted = self._starting or any(not member.is_idle for member in self._members.values())
        return not is_wanted and not self._is_full

    def _set_parent_idle(self, idle: bool) -> None:
        if self._parent is None or idle == self._parent_is_idle:
            return
        self._parent_is_idle = idle
        self._parent.set_idle(idle)
        if not idle:
            self._parent.limit_share()
