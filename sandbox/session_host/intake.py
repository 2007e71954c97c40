"""Read this host's messages from Redis: calls to its sessions, and requests for new sessions.

Two threads block on Redis, so that the event loop never does. The thread for requests reads only while a place is free.
Requests that no host can serve yet therefore stay in their list, in order of arrival.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from sandbox.queue import redis_keys
from sandbox.queue.connection import connect, get_failure_log_level
from sandbox.session_host.places import Places

logger = logging.getLogger(__name__)

BLOCK_TIMEOUT_S = 1
MAX_MESSAGES_PER_ROUND = 256
RETRY_PAUSE_S = 0.2
NO_ROOM_PAUSE_S = 0.1
DRAINING_PAUSE_S = 0.5

Message = Mapping[str, Any]


class Intake:
    """Passes messages to `on_calls` and `on_open` until `close` is called. Both callbacks must be thread-safe."""

    def __init__(
        self,
        redis_url: str,
        host: str,
        places: Places,
        on_calls: Callable[[list[bytes]], object],
        on_open: Callable[[Message], object],
    ) -> None:
        self._redis_url = redis_url
        self._calls_key = redis_keys.session_calls(host)
        self._places = places
        self._on_calls = on_calls
        self._on_open = on_open
        self._closed = False
        self.takes_new_sessions = True

    def start(self) -> None:
        for target, name in ((self._read_calls, "session-calls"), (self._read_opens, "session-opens")):
            threading.Thread(target=target, name=name, daemon=True).start()

    def close(self) -> None:
        self._closed = True

    def _read_calls(self) -> None:
        redis = connect(self._redis_url, forever=True)
        while not self._closed:
            try:
                taken = redis.blpop([self._calls_key], BLOCK_TIMEOUT_S)
                if taken is not None:
                    self._on_calls([taken[1], *(redis.lpop(self._calls_key, MAX_MESSAGES_PER_ROUND) or ())])
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot read calls from Redis, retrying: %s", error)
                time.sleep(RETRY_PAUSE_S)

    def _read_opens(self) -> None:
        redis = connect(self._redis_url, forever=True)
        while not self._closed:
            if not self.takes_new_sessions:
                time.sleep(DRAINING_PAUSE_S)
            elif self._places.wait_for_one(BLOCK_TIMEOUT_S):
                if (message := self._take_open(redis)) is None:
                    self._places.release()
                else:
                    self._on_open(message)

    def _take_open(self, redis: Redis) -> Message | None:
        """Take the next request for a session; return None if there is none or if it does not fit in free memory."""
        try:
            taken = redis.blpop([redis_keys.SESSION_OPENS], BLOCK_TIMEOUT_S)
            if taken is None:
                return None
            message: Message = json.loads(taken[1])
            if self.takes_new_sessions and self._places.commit_memory(message["memory_mb"]):
                return message
            redis.lpush(redis_keys.SESSION_OPENS, taken[1])
            time.sleep(NO_ROOM_PAUSE_S)
        except RedisError as error:
            logger.log(get_failure_log_level(), "cannot read requests for sessions from Redis, retrying: %s", error)
            time.sleep(RETRY_PAUSE_S)
        return None
