"""A thread that repeats one action, and continues after an error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sandbox.queue.connection import log_redis_errors

logger = logging.getLogger(__name__)


class RepeatingThread:
    """Calls `action` every `interval_s` seconds, for the first time after one interval.

    If the action raises, the error is logged and the thread continues. `failed` is the log message: what could not be
    done.
    """

    def __init__(self, name: str, interval_s: float, action: Callable[[], object], failed: str) -> None:
        self._interval_s = interval_s
        self._action = action
        self._failed = failed
        self._stop_requested = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def request_stop(self) -> None:
        """Stop after the current run of the action, without waiting. The action itself may call this."""
        self._stop_requested.set()

    def stop(self, timeout_s: float) -> None:
        """Stop the thread, and wait up to `timeout_s` seconds for a running action to finish."""
        self.request_stop()
        if self._thread.is_alive():
            self._thread.join(timeout=timeout_s)

    def _run(self) -> None:
        while not self._stop_requested.wait(self._interval_s):
            try:
                with log_redis_errors(logger, self._failed):
                    self._action()
            except Exception:  # the thread must go on: a healthy worker without a lease, for one, counts as lost
                logger.exception("%s: unexpected error", self._failed)
