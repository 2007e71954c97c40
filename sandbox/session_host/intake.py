"""Read this host's messages from Redis: calls to its sessions, and requests for new sessions.

Two threads block on Redis, so that the event loop never does. The thread for requests reads only while a place is free,
and takes the place once it has a request. Requests that no host can serve yet therefore stay in their list, in order of
arrival. A request whose memory does not fit goes to the end of the list, so that it does not hold up smaller ones.
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
CLOSE_TIMEOUT_S = 5.0
REQUIRED = {
    "asked_at",
    "do",
    "id",
    "reader",
    "session",
}  # fields of a request for a session, besides those that are read here

Message = Mapping[str, Any]


class Intake:
    """Passes messages to `on_calls`, `on_open` and `on_late` until `close` is called. Callbacks must be thread-safe.

    `on_open` gets requests for sessions whose place and memory are reserved, and `on_late` those that have expired.
    """

    def __init__(
        self,
        redis_url: str,
        host: str,
        places: Places,
        on_calls: Callable[[list[bytes]], object],
        on_open: Callable[[Message], object],
        on_late: Callable[[Message], object],
    ) -> None:
        self._redis_url = redis_url
        self._calls_key = redis_keys.session_calls(host)
        self._places = places
        self._on_calls = on_calls
        self._on_open = on_open
        self._on_late = on_late
        self._threads: list[threading.Thread] = []
        self._closed = False
        self.takes_new_sessions = True

    def start(self) -> None:
        for target, name in ((self._read_calls, "session-calls"), (self._read_opens, "session-opens")):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Take no more messages. Returns when all messages that were taken have been passed on or put back."""
        self.takes_new_sessions = False
        self._closed = True
        for thread in self._threads:
            thread.join(CLOSE_TIMEOUT_S)

    def _read_calls(self) -> None:
        redis = connect(self._redis_url, forever=True)
        while not self._closed:
            try:
                self._take_calls(redis)
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot read calls from Redis, retrying: %s", error)
                time.sleep(RETRY_PAUSE_S)

    def _take_calls(self, redis: Redis) -> None:
        taken = redis.blpop([self._calls_key], BLOCK_TIMEOUT_S)
        if taken is None:
            return
        self._on_calls([taken[1]])  # mostly the only one, so it does not wait for the next round trip
        if more := redis.lpop(self._calls_key, MAX_MESSAGES_PER_ROUND):
            self._on_calls(more)

    def _read_opens(self) -> None:
        redis = connect(self._redis_url, forever=True)
        while not self._closed:
            if not self.takes_new_sessions:
                time.sleep(DRAINING_PAUSE_S)
            elif self._places.wait_for_one(BLOCK_TIMEOUT_S):
                self._take_open(redis)

    def _take_open(self, redis: Redis) -> None:
        """Take the next request for a session, and pass it on or put it back."""
        try:
            taken = redis.blpop([redis_keys.SESSION_OPENS], BLOCK_TIMEOUT_S)
        except RedisError as error:
            logger.log(get_failure_log_level(), "cannot read requests for sessions from Redis, retrying: %s", error)
            time.sleep(RETRY_PAUSE_S)
            return
        if taken is None:
            return
        try:
            message: Message = json.loads(taken[1])
            expires_at, memory_mb = float(message["expires_at"]), int(message["memory_mb"])
            if missing := REQUIRED - message.keys():
                raise ValueError(f"it lacks {sorted(missing)}")
        except (ValueError, KeyError, TypeError) as error:
            logger.error("a request for a session is invalid: %r", error)
            return
        if expires_at < time.time():
            self._on_late(message)
        elif not self.takes_new_sessions or not self._places.take(1):  # a fork took the place
            self._put_back(lambda: redis.lpush(redis_keys.SESSION_OPENS, taken[1]))
        elif not self._places.commit_memory(memory_mb):
            self._places.release()
            self._put_back(lambda: redis.rpush(redis_keys.SESSION_OPENS, taken[1]))
            time.sleep(NO_ROOM_PAUSE_S)
        else:
            self._on_open(message)

    def _put_back(self, push: Callable[[], object]) -> None:
        """Put a request back into the list, however long Redis refuses it."""
        while True:
            try:
                push()
                return
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot put a request for a session back, retrying: %s", error)
                if self._closed:
                    return
                time.sleep(RETRY_PAUSE_S)
