"""What one side did in one round of one workload, and the check that no answer escapes."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from loadtest.workloads import Task


class WrongVerdict(Exception):
    """A side gave a verdict that the program does not deserve: no figure of it is worth anything."""


@dataclass(slots=True)
class Sample:
    """Verdicts, the time they took, each request's latency, and CPU seconds by kind of process.

    `program_cpu_s` is what the programs themselves used, as the service's answers tell it; 0 where none does.
    `tail_s` is how long the last verdict came after no more programs were left than slots, less a program's CPU time.
    """

    verdicts: int = 0
    elapsed_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    cpu_s: dict[str, float] = field(default_factory=dict)
    program_cpu_s: float = 0.0
    tail_s: float | None = None
    measured_s: float = 0.0  # the time `cpu_s["machine"]` is of

    @property
    def rate(self) -> float:
        return self.verdicts / self.elapsed_s if self.elapsed_s else 0.0

    def compute_cpu_ms(self, kind: str) -> float:
        """CPU milliseconds per verdict of one kind of process."""
        return 1000 * self.cpu_s.get(kind, 0.0) / self.verdicts if self.verdicts else 0.0

    @staticmethod
    def draw_start_index() -> int:
        """Where a round starts to count its programs, so that no two rounds send the same one."""
        return secrets.randbits(32) * 1_000_000


def check_verdicts(task: Task, verdicts: Sequence[str]) -> None:
    """Raises WrongVerdict, with the program."""
    if tuple(verdicts) != task.verdicts:
        raise WrongVerdict(f"verdicts {list(verdicts)} where {list(task.verdicts)} are right, of\n{task.code[:2000]}")
