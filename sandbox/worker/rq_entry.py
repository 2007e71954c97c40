"""The functions RQ imports by name. They run in the worker's own process and reach its slot through `current`."""

from __future__ import annotations

from typing import Protocol


class BatchRunner(Protocol):
    def run_batch(self, batch_id: str) -> None: ...


class _CurrentWorker:
    """The one worker of this process, set once when it starts."""

    runner: BatchRunner | None = None


current_worker = _CurrentWorker()


def run_batch(batch_id: str) -> None:
    """Run every item of an envelope and deliver each result."""
    if current_worker.runner is None:
        raise RuntimeError("envelopes run in a sandbox worker (`sandbox worker`), not in a plain RQ worker")
    current_worker.runner.run_batch(batch_id)
