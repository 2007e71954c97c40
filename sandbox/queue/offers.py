"""Offers: tests of a running submission that idle workers may run. They are shared through Redis.

Theory of operation. The owner of an item publishes an offer with the item and its tests that have not started, and adds
the offer to the list of offers, once per worker that could help. A worker that finds no batch in any lane takes an
entry of that list. From then on, the owner and its helpers take tests from the same list, from the front, and each
helper appends its results to a list that the owner reads. A helper stops as soon as a batch waits in a lane.

The owner stays responsible for the item. Its offer ends when it does, and expires if the owner dies. If a helper dies,
the owner runs its tests again. Nothing else knows about offers: the item has one claim, one result and one set of
metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError
from redis import Redis
from redis.client import Pipeline

from sandbox import __version__
from sandbox.queue import redis_keys
from sandbox.queue.job_batch import Item
from sandbox.request_context import generate_id
from sandbox.verify.result import TestResult

OFFER_TTL_S = 5
LIST_TTL_S = 60
MAX_ENTRIES = 32  # of one offer in the list of offers
YIELD_WINDOW_MS = 100
_VERSION, _ITEM = "version", "item"  # fields of an offer, besides `closed`; all others are indices of tests

# Append a helper's results, and take tests unless the offer is closed or a batch waits in a lane. Only helpers pass
# lanes. The reply is nil if the offer is gone.
_TAKE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
for place = 4, #ARGV do redis.call('RPUSH', KEYS[3], ARGV[place]) end
redis.call('EXPIRE', KEYS[3], ARGV[3])
for place = 4, #KEYS do
    if redis.call('LLEN', KEYS[place]) > 0 or redis.call('HEXISTS', KEYS[1], 'closed') == 1 then return {} end
end
local taken = {}
for _ = 1, tonumber(ARGV[2]) do
    local test = redis.call('LPOP', KEYS[2])
    if not test then break end
    redis.call('HSET', KEYS[1], test, ARGV[1])
    taken[#taken + 1] = test
end
return taken
"""

# Return tests to the front of the list, and close the offer to helpers if so asked.
_GIVE_BACK = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for place = #ARGV, 3, -1 do
    redis.call('HDEL', KEYS[1], ARGV[place])
    redis.call('LPUSH', KEYS[2], ARGV[place])
end
redis.call('EXPIRE', KEYS[2], ARGV[1])
if ARGV[2] == '1' then redis.call('HSET', KEYS[1], 'closed', 1) end
return 1
"""

# Extend an offer, and list it once per worker that could help. Returns the number of tests that nobody has taken.
_RENEW = """
if redis.call('EXPIRE', KEYS[1], ARGV[2]) == 0 then return 0 end
local left = redis.call('LLEN', KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[2])
redis.call('LREM', KEYS[4], 0, ARGV[1])
if redis.call('HEXISTS', KEYS[1], 'closed') == 1 then return left end
for _ = 1, math.min(left, tonumber(ARGV[3])) do redis.call('RPUSH', KEYS[4], ARGV[1]) end
redis.call('EXPIRE', KEYS[4], ARGV[4])
return left
"""

# Tell a helper whether to stop: its offer is gone, or batches wait. In each window, one helper stops per such batch.
_MUST_STOP = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 1 end
local waiting = 0
for place = 3, #KEYS do waiting = waiting + redis.call('LLEN', KEYS[place]) end
if waiting == 0 then return 0 end
local stopped = redis.call('INCR', KEYS[2])
if stopped == 1 then redis.call('PEXPIRE', KEYS[2], ARGV[1]) end
return stopped <= waiting and 1 or 0
"""

Results = dict[int, TestResult]


class Taken(NamedTuple):
    """The indices of the tests that were taken, and the results of helpers since the last call."""

    tests: list[int]
    results: Results


class Offer:
    """One offer. Every method may raise RedisError."""

    def __init__(self, redis: Redis, offer_id: str) -> None:
        self.id = offer_id
        self._redis = redis
        self._key = redis_keys.offer(offer_id)
        self._tests = redis_keys.offered_tests(offer_id)
        self._results = redis_keys.offer_results(offer_id)

    @classmethod
    def publish(cls, redis: Redis, item: Item, tests: Sequence[int]) -> Offer:
        """Offer tests of an item, given by their indices."""
        offer = cls(redis, generate_id())
        fields = {_VERSION: __version__, _ITEM: item.model_dump_json(exclude_unset=True)}
        pipeline = redis.pipeline()
        pipeline.hset(offer._key, mapping=fields)
        pipeline.rpush(offer._tests, *tests)
        offer._renew(pipeline, MAX_ENTRIES)
        pipeline.execute()
        return offer

    def renew(self, seeks_helpers: bool) -> int:
        """Extend the offer, and list it again if it seeks further helpers. Return how many tests nobody has taken."""
        return int(self._renew(self._redis, MAX_ENTRIES if seeks_helpers else 0))

    def close(self) -> None:
        """Withdraw the offer."""
        pipeline = self._redis.pipeline()
        pipeline.delete(*self._list_keys())
        pipeline.lrem(redis_keys.OFFERS, 0, self.id)
        pipeline.execute()

    def take(self, owner: str, count: int) -> Taken | None:
        """Take tests as the owner, and read the results of helpers. Return None if the offer is gone."""
        pipeline = self._redis.pipeline()
        pipeline.eval(_TAKE, 3, *self._list_keys(), owner, count, OFFER_TTL_S)
        self._read_results(pipeline)
        tests, results, _ = pipeline.execute()
        return None if tests is None else Taken(list(map(int, tests)), _parse_results(results))

    def wait_for_results(self, timeout_s: float) -> Results:
        """Return results of helpers as soon as there are any."""
        reply = self._redis.blpop([self._results], timeout=timeout_s)
        return {} if reply is None else _parse_results(reply[1:])

    def read_claims(self) -> Mapping[int, str] | None:
        """Return which worker took each test, or None if the offer is gone."""
        fields = {name.decode(): value for name, value in self._redis.hgetall(self._key).items()}
        return {int(name): value.decode() for name, value in fields.items() if name.isdigit()} if fields else None

    def read_item(self) -> Item | None:
        """Return the offered item.

        Return None if the offer is gone, has no tests left, or comes from another version of the service.
        """
        if not self._redis.llen(self._tests):
            return None
        version, content = self._redis.hmget(self._key, _VERSION, _ITEM)
        if content is None or version.decode() != __version__:
            return None
        try:
            return Item.model_validate_json(content)
        except ValidationError:
            return None

    def take_as_helper(self, helper: str, count: int, results: Results) -> list[int]:
        """Deliver results, and take further tests unless other work waits."""
        entries = [b"%d %s" % (index, result.model_dump_json().encode()) for index, result in results.items()]
        keys = *self._list_keys(), *_LANE_KEYS
        return list(map(int, self._redis.eval(_TAKE, len(keys), *keys, helper, count, OFFER_TTL_S, *entries) or ()))

    def give_back(self, tests: Iterable[int], close: bool) -> None:
        """Return tests that were taken but have no result. With `close`, only the owner may take tests from now on."""
        self._redis.eval(_GIVE_BACK, 2, self._key, self._tests, OFFER_TTL_S, int(close), *tests)

    def must_stop(self) -> bool:
        """Return whether a helper must stop, because the offer is gone or a batch waits for a worker."""
        keys = self._key, redis_keys.OFFER_STOPS, *_LANE_KEYS
        return bool(self._redis.eval(_MUST_STOP, len(keys), *keys, YIELD_WINDOW_MS))

    def _list_keys(self) -> tuple[str, str, str]:
        return self._key, self._tests, self._results

    def _renew(self, redis: Redis, entries: int) -> Any:
        keys = *self._list_keys(), redis_keys.OFFERS
        return redis.eval(_RENEW, len(keys), *keys, self.id, OFFER_TTL_S, entries, LIST_TTL_S)

    def _read_results(self, pipeline: Pipeline) -> None:
        pipeline.lrange(self._results, 0, -1)
        pipeline.delete(self._results)


_LANE_KEYS = tuple(redis_keys.rq_queue(lane) for lane in redis_keys.LANES)


def are_lanes_empty(redis: Redis) -> bool:
    """Return whether no batch waits for a worker. Raises RedisError."""
    return not redis.exists(*_LANE_KEYS)  # Redis deletes an empty list


def _parse_results(entries: Iterable[bytes]) -> Results:
    """Parse the entries of a list of results: an index, a space, and a result as JSON."""
    results: Results = {}
    for entry in entries:
        index, _, content = entry.partition(b" ")
        results[int(index)] = TestResult.model_validate_json(content)
    return results
