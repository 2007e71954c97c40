"""The results of one side in one round of a workload, and the check of every verdict."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from loadtest.workloads import Task


class WrongVerdict(Exception):
    """A side gave wrong verdicts: `count` of those that one request asked for.

    Ours end the run, because a service that is wrong is not worth measuring. Those of a peer are counted.
    """

    def __init__(self, message: str, count: int = 1) -> None:
        super().__init__(message)
        self.count = count


@dataclass(slots=True)
class Sample:
    """Right verdicts, the time they took, the latency of each request, and CPU seconds by kind of process.

    `program_cpu_s` is the CPU time of the programs themselves, as reported by the service, or 0. `tail_s` is the time
    from the moment when no more programs than slots were left to the last verdict, minus one program's CPU time.
    """

    verdicts: int = 0
    elapsed_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    program_cpu_s: float = 0.0
    tail_s: float | None = None
    wrong: int = 0  # verdicts
    lost: int = 0  # verdicts that were asked for and did not come
    steal_share: float = 0.0  # of the machine's CPU time, taken by the hypervisor
    measured_s: float = 0.0  # the duration that `cpu_s["machine"]` covers

    @property
    def rate(self) -> float:
        return self.verdicts / self.elapsed_s if self.elapsed_s else 0.0

    def compute_cpu_ms(self, kind: str) -> float:
        """Return the CPU milliseconds per verdict of one kind of process."""
        return 1000 * self.cpu_s.get(kind, 0.0) / self.verdicts if self.verdicts else 0.0

    @staticmethod
    def draw_start_index() -> int:
        """Draw the first index of a round, so that no two rounds send the same program."""
        return secrets.randbits(32) * 1_000_000


def check_verdicts(task: Task, verdicts: Sequence[str]) -> None:
    """Raise WrongVerdict, with the program, if a verdict is wrong."""
    if tuple(verdicts) != task.verdicts:
        wrong = sum(given != right for given, right in zip_longest(verdicts, task.verdicts))
        message = f"got verdicts {list(verdicts)}, expected {list(task.verdicts)}, for\n{task.code[:2000]}"
        raise WrongVerdict(message, wrong)
