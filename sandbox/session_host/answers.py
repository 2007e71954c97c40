"""Send answers to the API processes that wait for them: one thread sends all pending answers in one round trip."""

from __future__ import annotations

import logging
import queue
import threading
from collections import defaultdict

from redis import Redis
from redis.exceptions import RedisError

from sandbox.queue.connection import get_failure_log_level
from sandbox.queue.result_writer import encode_message, push_results

logger = logging.getLogger(__name__)

MAX_ANSWERS_PER_ROUND = 256
CLOSE_TIMEOUT_S = 5.0


class AnswerWriter:
    """Sends answers in the order in which they were written. Thread-safe."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._answers: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="session-answers", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Send all pending answers, and stop the thread."""
        self._answers.put(None)
        self._thread.join(CLOSE_TIMEOUT_S)

    def write(self, reader: str, call_id: str, answer: bytes) -> None:
        self._answers.put((reader, encode_message(call_id, answer)))

    def _run(self) -> None:
        while True:
            found = [self._answers.get()]
            while len(found) < MAX_ANSWERS_PER_ROUND and not self._answers.empty():
                found.append(self._answers.get())
            messages: dict[str, list[bytes]] = defaultdict(list)
            for each in found:
                if each is not None:
                    messages[each[0]].append(each[1])
            try:
                pipeline = self._redis.pipeline(transaction=False)
                for reader, answers in messages.items():
                    push_results(pipeline, reader, answers)
                pipeline.execute()
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot send answers to Redis: %s", error)
            if None in found:
                return
