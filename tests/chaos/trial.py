"""One trial: a fault under load, and what must be true afterwards."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

from tests.chaos.faults import Fault
from tests.chaos.load import Load, Tally
from tests.chaos.stage import Stage
from tests.jobs.waiting import until

WARM_UP_S = 1.0
MEASURED_S = 2.0
LEAST_WATCHED_S = 2.0
WATCHED_S = 10.0
BACK_WITHIN_S = 10.0


@dataclass
class Trial:
    """What one fault came to."""

    fault: Fault
    tally: Tally
    usual_rate: float
    back_after_s: float | None
    left: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """What is not as it must be."""
        tally = self.tally
        failures = [*(f"lost: {each}" for each in tally.lost), *(f"wrong: {each}" for each in tally.wrong)]
        if sum(tally.ends.values()) != tally.accepted:
            failures.append(f"{tally.accepted} accepted, {sum(tally.ends.values())} results")
        if self.back_after_s is None or self.back_after_s > BACK_WITHIN_S:
            failures.append(f"throughput is back after {self.back_after_s} s")
        return failures + [f"left behind: {each}" for each in self.left]

    def row(self) -> str:
        """A line of the report's table."""
        back = "never" if self.back_after_s is None else f"{self.back_after_s:.1f} s"
        lost = len(self.tally.lost) + len(self.tally.wrong)
        return f"| {self.fault.words} | {self.tally.accepted} | {lost} | {back} | {'; '.join(self.left) or 'nothing'} |"


HEADER = "| Fault | Accepted | Lost or wrong | Throughput back after | Left behind |\n| --- | --- | --- | --- | --- |"


def trial(fault: Fault, stage: Stage) -> Trial:
    """Strike under load. The stage goes on; what the fault left in Redis is looked at when nothing is to do."""
    with Load(stage.url) as load:
        time.sleep(WARM_UP_S)
        usual = load.usual_rate(MEASURED_S)
        fault.strike(stage)
        healed_at = time.monotonic()
        time.sleep(LEAST_WATCHED_S)
        while time.monotonic() - healed_at < WATCHED_S and load.tally.back_after_s(healed_at, usual) is None:
            time.sleep(0.2)
        load.stop()
    back = load.tally.back_after_s(healed_at, usual)
    left: list[str] = []

    def settled() -> bool:
        nonlocal left
        left = [f"Redis key {key}" for key in stage.idle()]
        return not left

    with suppress(AssertionError):  # what is left is told by the trial
        until(settled, "Redis is empty", 20.0)
    return Trial(fault, load.tally, usual, back, left)
