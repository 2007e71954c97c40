"""The description of a worker, which it sends with each heartbeat."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sandbox import __version__
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.errors import InfrastructureError
from sandbox.queue import job_batch
from sandbox.queue.activity import WorkerActivity
from sandbox.worker.slot_check import SlotCheck

logger = logging.getLogger(__name__)

LANGUAGES_CHECK_INTERVAL_S = 10.0


class SelfDescription:
    """Describes one worker. `payload_identity` names the folder in which it finds payload files."""

    def __init__(
        self,
        settings: WorkerSettings,
        payload_identity: str,
        slot: Slot,
        slot_check: SlotCheck,
        activity: WorkerActivity,
    ) -> None:
        self._slot = slot
        self._slot_check = slot_check
        self._activity = activity
        self._missing_isolation: list[str] = []
        self._missing_languages: list[str] = []
        self._languages_checked_at = float("-inf")
        self._constants = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "engine": settings.engine,
            "version": __version__,
            "reads": job_batch.FORMAT_VERSION,
            "spool": payload_identity,
        }

    def check_isolation(self) -> None:
        """Ask the engine which isolation layers it lacks."""
        try:
            self._missing_isolation = self._slot.list_missing_isolation()
        except InfrastructureError as error:
            logger.warning("cannot check which isolation layers the engine lacks: %s", error)

    def describe(self, is_stopping: bool) -> Mapping[str, Any]:
        """Return the fields of a heartbeat."""
        waiting = self._slot_check.describe_wait()
        now = {
            **self._constants,
            **self._activity.describe_state(),
            "missing_walls": self._missing_isolation,
            "boxes": self._slot.list_box_keys(),
            "waiting": waiting,
            "missing_languages": self._find_missing_languages(),
        }
        if is_stopping:
            return {**now, "state": "draining"}
        if self._slot.starting_image or not self._slot_check.can_serve():
            return {**now, "state": "warming"}
        return now

    def _find_missing_languages(self) -> list[str]:
        """Return the languages that the slot cannot run. Checks again every 10 s, because images may be built later."""
        now = time.monotonic()
        if now - self._languages_checked_at > LANGUAGES_CHECK_INTERVAL_S:
            self._languages_checked_at = now
            with suppress(InfrastructureError):
                self._missing_languages = self._slot.find_missing_languages()
        return self._missing_languages
