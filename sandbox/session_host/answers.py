"""Send answers to the API processes that wait for them: one thread sends all pending answers in one round trip."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from sandbox.queue.connection import get_failure_log_level
from sandbox.queue.redis_keys import MESSAGES_TTL_S
from sandbox.queue.result_writer import encode_message, push_results

logger = logging.getLogger(__name__)

MAX_ANSWERS_PER_ROUND = 256
RETRY_PAUSE_S = 0.2
CLOSE_TIMEOUT_S = 5.0


class _Answer(NamedTuple):
    reader: str
    message: bytes
    written_at: float


def encode_answer(answer: Mapping[str, Any]) -> bytes:
    """Encode an answer, or a part of one, as JSON. Lone surrogates, which UTF-8 cannot encode, are replaced."""
    return json.dumps(answer, ensure_ascii=False).encode(errors="replace")


def add_answer(pipeline: Pipeline, message: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Send the answer to `message` with a pipeline that writes to Redis anyway."""
    push_results(pipeline, message["reader"], [encode_message(message["id"], encode_answer(answer))])


class AnswerWriter:
    """Sends answers in the order in which they were written. Thread-safe.

    Answers that Redis refuses are sent again, until nobody waits for them any more.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._answers: queue.SimpleQueue[_Answer | None] = queue.SimpleQueue()
        self._unsent: deque[_Answer] = deque()
        self._close_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="session-answers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Send all pending answers, and stop the thread."""
        self._answers.put(None)
        self._thread.join(2 * CLOSE_TIMEOUT_S)

    def write(self, reader: str, call_id: str, answer: bytes) -> None:
        self._answers.put(_Answer(reader, encode_message(call_id, answer), time.monotonic()))

    def _run(self) -> None:
        while self._unsent or self._close_at is None:
            self._collect()
            self._drop_old()
            try:
                self._send()
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot send answers to Redis, retrying: %s", error)
                if self._close_at is not None and time.monotonic() >= self._close_at:
                    return
                time.sleep(RETRY_PAUSE_S)

    def _collect(self) -> None:
        """Take the answers that have been written; wait for one if there is none."""
        while len(self._unsent) < MAX_ANSWERS_PER_ROUND and (not self._unsent or not self._answers.empty()):
            if (answer := self._answers.get()) is None:
                self._close_at = time.monotonic() + CLOSE_TIMEOUT_S
                return
            self._unsent.append(answer)

    def _drop_old(self) -> None:
        count = len(self._unsent)
        while self._unsent and self._unsent[0].written_at < time.monotonic() - MESSAGES_TTL_S:
            self._unsent.popleft()
        if count > len(self._unsent):
            logger.error("answers dropped", extra={"count": count - len(self._unsent)})

    def _send(self) -> None:
        if not self._unsent:
            return
        messages: dict[str, list[bytes]] = defaultdict(list)
        for answer in self._unsent:
            messages[answer.reader].append(answer.message)
        pipeline = self._redis.pipeline(transaction=True)  # all or nothing, so that a retry sends none twice
        for reader, answers in messages.items():
            push_results(pipeline, reader, answers)
        pipeline.execute()
        self._unsent.clear()
