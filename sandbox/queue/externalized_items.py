"""Items that this process has sent without their large texts, which are in files instead."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable
from pathlib import Path

from redis import Redis

from sandbox.queue import leases, redis_keys
from sandbox.queue.job_batch import Item
from sandbox.queue.large_texts import find_large_texts, has_payload
from sandbox.queue.payload_files import PayloadFiles

logger = logging.getLogger(__name__)

WORKER_CHECK_INTERVAL_S = 1.0


class ExternalizedItems:
    """The items of one process whose large texts are in files, until their results arrive. Thread-safe."""

    def __init__(self, home: Path, redis: Redis, lease_s: float) -> None:
        self._redis = redis
        self._lease_s = lease_s
        self._originals: dict[str, Item] = {}
        self._all_workers_share = False
        self._checked_at = float("-inf")
        self._payload_files: PayloadFiles | None = None
        try:
            self._payload_files = PayloadFiles(home)
            self._payload_files.sweep()
        except OSError as error:
            logger.warning("cannot write payload files, sending large texts through Redis: %s", error)

    def externalize(self, item: Item) -> Item:
        """Return the item to send. If all workers can read payload files, its large texts are moved into one.

        Raises RedisError.
        """
        request = item.work
        if self._payload_files is None or not has_payload(request) or not find_large_texts(request):
            return item
        if not self._is_shared():
            return item
        try:
            externalized = self._payload_files.externalize_item(item)
        except OSError as error:
            logger.warning("cannot write payload files, sending large texts through Redis: %s", error)
            return item
        self._originals[item.id] = item
        return externalized

    def take_original(self, item_id: str) -> Item | None:
        """Return the original item so that it can be sent again, and drop its file; return None if it is unknown."""
        self._drop_file(item_id)
        return self._originals.pop(item_id, None)

    def forget(self, item_ids: Iterable[str]) -> None:
        """Drop the files of items that have a result or that nobody waits for."""
        for item_id in item_ids:
            if self._originals.pop(item_id, None) is not None:
                self._drop_file(item_id)

    def close(self) -> None:
        if self._payload_files is not None:
            self._payload_files.close()

    def _drop_file(self, item_id: str) -> None:
        if self._payload_files is not None:
            self._payload_files.drop(item_id)

    def _is_shared(self) -> bool:
        """Return whether every live worker shares this process's payload files. Checks at most once per second."""
        now = time.monotonic()
        if now - self._checked_at > WORKER_CHECK_INTERVAL_S and self._payload_files is not None:
            names = leases.list_alive(self._redis, self._lease_s)
            descriptions = self._redis.mget([redis_keys.worker(name) for name in names]) if names else []
            identities = {json.loads(text).get("spool") for text in descriptions if text}
            self._all_workers_share = identities == {self._payload_files.identity}
            self._checked_at = now
        return self._all_workers_share
