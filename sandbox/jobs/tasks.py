"""The functions RQ imports by name. They run in the worker's own process and reach its slot through `current`."""

from __future__ import annotations

from typing import Protocol


class EnvelopeRunner(Protocol):
    def run_envelope(self, envelope_id: str) -> None: ...


class _Current:
    """The one worker of this process, set once when it starts."""

    runner: EnvelopeRunner | None = None


current = _Current()


def perform_envelope(envelope_id: str) -> None:
    """Run every item of an envelope and deliver each result."""
    if current.runner is None:
        raise RuntimeError("envelopes run in a sandbox worker (`sandbox worker`), not in a plain RQ worker")
    current.runner.run_envelope(envelope_id)
