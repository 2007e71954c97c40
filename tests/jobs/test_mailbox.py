"""Letters arrive although what fetches them is broken off at any point, against a real Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError, ResponseError

from sandbox.jobs import keys
from sandbox.jobs.delivery import Courier, addressed, post
from sandbox.jobs.envelope import Item
from sandbox.jobs.mailbox import Mailbox
from sandbox.jobs.spool import ELSEWHERE
from sandbox.schema import ExecuteRequest

FULL = "MISCONF Errors writing to the AOF file: No space left on device"


class BrokenOff:
    """Redis, whose answers to some pipelines are lost after it did what they say, or which refuses them.

    As with the real one, a pipeline whose answer was lost is sent again by redis-py itself.
    """

    def __init__(self, redis: Redis, after: bool, times: int = 1) -> None:
        self._redis = redis
        self._after = after
        self.left = times

    def pipeline(self, transaction: bool) -> Any:
        real, pipeline = self, self._redis.pipeline(transaction)
        execute = pipeline.execute

        def broken() -> Any:
            sent_again = list(pipeline.command_stack)
            with real._fault() as faulty:
                answers = execute()
                if faulty:
                    pipeline.command_stack.extend(sent_again)
                    execute()
                return answers

        pipeline.execute = broken
        return pipeline

    @contextmanager
    def _fault(self) -> Iterator[bool]:
        faulty = self.left > 0
        self.left -= faulty
        if faulty and not self._after:
            raise ResponseError(FULL)
        yield faulty
        if faulty:
            raise AnswerLost(FULL)


class AnswerLost(RedisError):  # type: ignore[misc]
    """As when Redis dies with its answer unsent."""


@pytest.mark.parametrize("after", [False, True], ids=["refused", "answer lost"])
@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_a_letter_is_not_lost_with_the_answer_that_brought_it(redis: Redis, times: int, after: bool) -> None:
    faulty = BrokenOff(redis, after, times)
    mailbox = Mailbox(faulty, lambda ids: None, lambda item_id: None)
    names = [f"item-{number}" for number in range(40)]
    futures = mailbox.expect(names)
    mailbox.start()
    try:
        for name in names:
            pipeline = redis.pipeline()
            post(pipeline, mailbox.reader, [addressed(name, b"result of " + name.encode())])
            pipeline.execute()
            time.sleep(0.005)
        assert [future.result(5) for future in futures] == [f"result of {name}".encode() for name in names]
        assert faulty.left == 0
    finally:
        mailbox.close()
    assert all(redis.ttl(key) != -1 for key in redis.keys(keys.mail(mailbox.reader) + "*"))


def test_a_letter_is_not_lost_where_redis_fails_while_it_is_handed_out(redis: Redis) -> None:
    failures = iter([AnswerLost(FULL)])

    def elsewhere(item_id: str) -> None:
        for failure in failures:
            raise failure
        mailbox.put(item_id, b"sent whole")

    mailbox = Mailbox(redis, lambda ids: None, elsewhere)
    futures = mailbox.expect(["spooled", "plain"])
    mailbox.start()
    try:
        pipeline = redis.pipeline()
        post(pipeline, mailbox.reader, [addressed("spooled", ELSEWHERE), addressed("plain", b"result")])
        pipeline.execute()
        assert [future.result(5) for future in futures] == [b"sent whole", b"result"]
    finally:
        mailbox.close()


def test_while_redis_refuses_to_write_a_result_is_neither_told_nor_its_envelope_forgotten(redis: Redis) -> None:
    redis.set(keys.envelope("e"), "content")
    item = Item(submission="s", submitted_at=0.0, reader="reader", execute=ExecuteRequest(language="python", code=""))
    courier = Courier(redis, 60)
    redis.config_set("min-replicas-to-write", 1)
    try:
        courier.take(item, b"result")
        with pytest.raises(RedisError):
            courier.flush(lambda ending: ending.delete(keys.envelope("e")))
        assert redis.exists(keys.envelope("e"))
        assert not redis.exists(keys.mail("reader"))
    finally:
        redis.config_set("min-replicas-to-write", 0)
    courier.flush(lambda ending: ending.delete(keys.envelope("e")))
    assert not redis.exists(keys.envelope("e"))
    assert redis.lrange(keys.mail("reader"), 0, -1) == [b"s result"]
