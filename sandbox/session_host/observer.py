"""The interface through which a session host reports events of its sessions, for example to metrics."""

from __future__ import annotations

from typing import Protocol


class SessionObserver(Protocol):
    """Receives the events of a session host. All methods are called in the host's event loop."""

    def record_opened(self, language: str, wait_s: float | None) -> None:
        """Record that a session opened, `wait_s` seconds after its request. For a fork, `wait_s` is None."""

    def record_ended(self, language: str, status: str) -> None:
        """Record a session that was closed or lost."""

    def record_not_rebuilt(self, language: str) -> None:
        """Record a session of a dead host that is lost because it could not be rebuilt here."""

    def record_call(self, language: str, status: str, duration_s: float) -> None:
        """Record a call that ended."""

    def record_forks(self, count: int, duration_s: float) -> None:
        """Record that a session was forked `count` times at once."""

    def set_boxes(self, in_use: int, warm: int) -> None:
        """Record how many boxes are used by sessions, and how many are ready."""


class _NullObserver:
    def record_opened(self, language: str, wait_s: float | None) -> None: ...

    def record_ended(self, language: str, status: str) -> None: ...

    def record_not_rebuilt(self, language: str) -> None: ...

    def record_call(self, language: str, status: str, duration_s: float) -> None: ...

    def record_forks(self, count: int, duration_s: float) -> None: ...

    def set_boxes(self, in_use: int, warm: int) -> None: ...


NULL_OBSERVER: SessionObserver = _NullObserver()
