"""A scenario: a fault under load, and the checks afterwards."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field

from tests.chaos.deployment import Deployment
from tests.chaos.faults import Fault
from tests.chaos.load import Load, Tally
from tests.queue.submit_and_wait import wait_until

WARM_UP_S = 1.0
MEASURED_S = 2.0
MIN_OBSERVED_S = 2.0
MAX_OBSERVED_S = 10.0
MAX_RECOVERY_S = 10.0


@dataclass
class ScenarioResult:
    """The outcome of one fault."""

    fault: Fault
    tally: Tally
    usual_rate: float
    recovery_s: float | None
    leftovers: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """Return descriptions of all failed checks."""
        tally = self.tally
        failures = [*(f"lost: {each}" for each in tally.lost), *(f"wrong: {each}" for each in tally.wrong)]
        if sum(tally.statuses.values()) != tally.accepted:
            failures.append(f"{tally.accepted} accepted, {sum(tally.statuses.values())} results")
        if self.recovery_s is None or self.recovery_s > MAX_RECOVERY_S:
            failures.append(f"throughput recovered after {self.recovery_s} s")
        return failures + [f"left behind: {each}" for each in self.leftovers]

    def format_row(self) -> str:
        """Return a row of the report's table."""
        back = "never" if self.recovery_s is None else f"{self.recovery_s:.1f} s"
        lost = len(self.tally.lost) + len(self.tally.wrong)
        leftovers = "; ".join(self.leftovers) or "nothing"
        return f"| {self.fault.description} | {self.tally.accepted} | {lost} | {back} | {leftovers} |"


HEADER = "| Fault | Accepted | Lost or wrong | Throughput back after | Left behind |\n| --- | --- | --- | --- | --- |"


def run_scenario(fault: Fault, deployment: Deployment) -> ScenarioResult:
    """Inject a fault under load. The deployment keeps running; Redis is checked when no work is left."""
    with Load(deployment.url) as load:
        time.sleep(WARM_UP_S)
        usual = load.measure_rate(MEASURED_S)
        fault.inject(deployment)
        healed_at = time.monotonic()
        time.sleep(MIN_OBSERVED_S)
        while time.monotonic() - healed_at < MAX_OBSERVED_S and load.tally.compute_recovery_s(healed_at, usual) is None:
            time.sleep(0.2)
        load.stop()
    recovery_s = load.tally.compute_recovery_s(healed_at, usual)
    leftovers: list[str] = []

    def is_settled() -> bool:
        nonlocal leftovers
        leftovers = [f"Redis key {key}" for key in deployment.find_leaked_keys()]
        return not leftovers

    with suppress(AssertionError):  # the scenario reports what is left
        wait_until(is_settled, "Redis is empty", 20.0)
    return ScenarioResult(fault, load.tally, usual, recovery_s, leftovers)
