"""Test that an API process knows the depth of the queue."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from redis import Redis

from sandbox.errors import QueueFull
from sandbox.queue import leases
from sandbox.queue.connection import connect
from sandbox.queue.sender import BatchSender
from sandbox.request_context import generate_id
from sandbox.schema import Lane
from tests.redis_server import RedisServer


def build_items(number: int) -> list[tuple[str, bytes]]:
    return [(generate_id(), b"{}") for _ in range(number)]


def test_items_sent_while_the_queue_is_counted_are_counted(
    redis_server: RedisServer, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a full queue would accept more items until the next count."""
    assert redis.ping()
    sender = BatchSender(
        connect(redis_server.build_url(1)), queue_ttl_s=60, max_queued=3, lease_s=5.0, max_bytes=1 << 20
    )
    sent = threading.Event()

    def send_and_list_no_workers(*_: Any) -> list[Any]:
        """Send items after the sender has read the depths and before it uses them."""
        if not sent.is_set():
            sender.send_now(Lane.DEFAULT, build_items(3))
            sent.set()
        return []

    monkeypatch.setattr(leases, "list_slot_workers", send_and_list_no_workers)
    sender.start()
    try:
        assert sent.wait(10.0)
        time.sleep(0.2)
        with pytest.raises(QueueFull, match="lane default holds 3 of 3"):
            sender.accept(Lane.DEFAULT, build_items(1))
    finally:
        sender.close()
