"""Test with a real Redis that messages arrive even if reading them is interrupted at any point."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from sandbox.queue import redis_keys
from sandbox.queue.job_batch import Item
from sandbox.queue.payload_files import PAYLOAD_MISSING
from sandbox.queue.result_reader import BLOCK_TIMEOUT_S, ResultReader
from sandbox.queue.result_writer import ResultWriter, encode_message, push_results
from sandbox.schema import ExecuteRequest
from tests.queue.submit_and_wait import wait_until

FULL = "MISCONF Errors writing to the AOF file: No space left on device"


class FaultyRedis:
    """A Redis client that fails some pipelines: either Redis refuses them, or it runs them and the reply is lost.

    As with the real client, redis-py itself resends a pipeline whose reply was lost.
    """

    def __init__(self, redis: Redis, after: bool, times: int = 1) -> None:
        self._redis = redis
        self._after = after
        self.left = times

    def pipeline(self, transaction: bool) -> Any:
        real, pipeline = self, self._redis.pipeline(transaction)
        execute = pipeline.execute

        def execute_with_fault() -> Any:
            sent_again = list(pipeline.command_stack)
            with real._inject_fault() as faulty:
                answers = execute()
                if faulty:
                    pipeline.command_stack.extend(sent_again)
                    execute()
                return answers

        pipeline.execute = execute_with_fault
        return pipeline

    @contextmanager
    def _inject_fault(self) -> Iterator[bool]:
        faulty = self.left > 0
        self.left -= faulty
        if faulty and not self._after:
            raise ResponseError(FULL)
        yield faulty
        if faulty:
            raise ReplyLost(FULL)


class ReplyLost(RedisError):  # type: ignore[misc]
    """Redis died before it sent its reply."""


@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer lost"])
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_a_message_is_not_lost_if_the_reply_that_carries_it_is_lost(redis: Redis, times: int, after: bool) -> None:
    faulty = FaultyRedis(redis, after, times)
    result_reader = ResultReader(faulty, lambda ids: None, lambda item_id: None)
    names = [f"item-{number}" for number in range(40)]
    futures = result_reader.expect(names)
    result_reader.start()
    try:
        for name in names:
            pipeline = redis.pipeline()
            push_results(pipeline, result_reader.reader_id, [encode_message(name, b"result of " + name.encode())])
            pipeline.execute()
            time.sleep(0.005)
        assert [future.result(5) for future in futures] == [f"result of {name}".encode() for name in names]
        assert faulty.left == 0
    finally:
        result_reader.close()
    assert all(redis.ttl(key) != -1 for key in redis.keys(redis_keys.messages(result_reader.reader_id) + "*"))


def test_a_message_is_not_lost_if_redis_fails_while_it_is_delivered(redis: Redis) -> None:
    failures = iter([ReplyLost(FULL)])

    def handle_payload_missing(item_id: str) -> None:
        for failure in failures:
            raise failure
        result_reader.resolve(item_id, b"sent whole")

    result_reader = ResultReader(redis, lambda ids: None, handle_payload_missing)
    futures = result_reader.expect(["spooled", "plain"])
    result_reader.start()
    try:
        pipeline = redis.pipeline()
        push_results(
            pipeline,
            result_reader.reader_id,
            [encode_message("spooled", PAYLOAD_MISSING), encode_message("plain", b"result")],
        )
        pipeline.execute()
        assert [future.result(5) for future in futures] == [b"sent whole", b"result"]
    finally:
        result_reader.close()


def test_while_redis_refuses_writes_no_result_is_sent_and_no_batch_deleted(redis: Redis) -> None:
    redis.set(redis_keys.job_batch("e"), "content")
    item = Item(submission="s", submitted_at=0.0, reader="reader", execute=ExecuteRequest(language="python", code=""))
    result_writer = ResultWriter(redis, 60)
    redis.config_set("min-replicas-to-write", 1)
    try:
        result_writer.write(item, b"result")
        with pytest.raises(RedisError):
            result_writer.flush(lambda ending: ending.delete(redis_keys.job_batch("e")))
        assert redis.exists(redis_keys.job_batch("e"))
        assert not redis.exists(redis_keys.messages("reader"))
    finally:
        redis.config_set("min-replicas-to-write", 0)
    result_writer.flush(lambda ending: ending.delete(redis_keys.job_batch("e")))
    assert not redis.exists(redis_keys.job_batch("e"))
    assert redis.lrange(redis_keys.messages("reader"), 0, -1) == [b"s result"]


def test_an_idle_reader_is_closed_at_once(redis: Redis) -> None:
    passed_on: list[str] = []
    result_reader = ResultReader(redis, passed_on.extend, passed_on.append)
    result_reader.start()
    mine = redis.client_info()["db"]
    wait_until(
        lambda: any(each["cmd"] == "blmove" and int(each["db"]) == int(mine) for each in redis.client_list()),
        "it waits for messages",
    )
    began = time.monotonic()
    result_reader.close()
    assert time.monotonic() - began < BLOCK_TIMEOUT_S / 2
    assert not passed_on
