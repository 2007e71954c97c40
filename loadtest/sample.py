"""The results of one side in one round of a workload, and the check of every verdict."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtest.workloads import Task


class WrongVerdict(Exception):
    """A side gave a wrong verdict, which makes all of its figures worthless."""


@dataclass(slots=True)
class Sample:
    """Verdicts, the time they took, the latency of each request, and CPU seconds by kind of process.

    `program_cpu_s` is the CPU time of the programs themselves, as reported by the service, or 0. `tail_s` is the time
    from the moment when no more programs than slots were left to the last verdict, minus one program's CPU time.
    """

    verdicts: int = 0
    elapsed_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    program_cpu_s: float = 0.0
    tail_s: float | None = None
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
        raise WrongVerdict(f"got verdicts {list(verdicts)}, expected {list(task.verdicts)}, for\n{task.code[:2000]}")
