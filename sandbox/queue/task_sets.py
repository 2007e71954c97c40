"""Task sets in Redis, stored under the SHA-256 of their JSON. Clients register a set once and then refer to it by id.

Content addressing makes a set immutable: an id always stands for the same tests, and registering a set twice is
harmless. Each process caches the tasks it has read, because parsing megabytes of tests costs more than fetching them.
"""

from __future__ import annotations

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from pydantic import ValidationError
from redis import Redis

from sandbox.errors import BadRequest, NotFound
from sandbox.queue import redis_keys, storage_account, storage_limits
from sandbox.schema.reward import Task, TaskSet, TaskSetInfo

DEFAULT_CACHE_MB = 256
MAX_FIELDS_PER_WRITE = 1_000
MAX_REMEMBERED_SETS = 10_000


class TaskSets:
    """The registered task sets. Thread-safe.

    A set expires `ttl_s` seconds after it was last registered or used. It is charged to the client that registered it
    first.
    """

    def __init__(
        self,
        redis: Redis,
        ttl_s: int,
        cache_mb: int = DEFAULT_CACHE_MB,
        storage_limiter: storage_limits.StorageLimiter | None = None,
    ) -> None:
        self._redis = redis
        self._storage_limiter = storage_limiter
        self._renewed_at: dict[str, float] = {}
        self._ttl_s = ttl_s
        self._cache = _TaskCache(cache_mb << 20)

    def put(self, set_id: str, body: bytes, owner: str = "", max_stored_bytes: int = 0) -> TaskSetInfo:
        """Register a set for `owner`, whose storage quota is `max_stored_bytes`.

        Raises BadRequest if `body` is not a task set or `set_id` is not its SHA-256, StorageFull, or
        StorageQuotaExceeded.
        """
        if TaskSet.compute_id(body) != set_id:
            raise BadRequest(
                f"the SHA-256 of the body is {TaskSet.compute_id(body)}: use it as the id of the set", field="set"
            )
        try:
            tasks = TaskSet.model_validate_json(body).tasks
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise BadRequest(first["msg"], field=".".join(("body", *map(str, first["loc"])))) from None
        fields = {name: task.model_dump_json(exclude_unset=True).encode() for name, task in tasks.items()}
        if self._storage_limiter is not None:
            size = sum(len(name) + len(task) for name, task in fields.items())
            self._storage_limiter.charge(
                storage_account.task_set_member(set_id), owner, size, self._ttl_s, max_stored_bytes
            )
        self._write(redis_keys.task_set(set_id), fields)
        return TaskSetInfo(id=set_id, tasks=len(tasks))

    def get_info(self, set_id: str) -> TaskSetInfo:
        """Return the id and size of a registered set, so that a client need not upload it again. Raises NotFound."""
        count = int(self._redis.hlen(redis_keys.task_set(set_id)))
        if not count:
            raise _build_not_found(set_id, "")
        return TaskSetInfo(id=set_id, tasks=count)

    def get(self, references: Sequence[str]) -> Mapping[str, Task]:
        """Return the tasks for references of the form `<set>/<name>`, some of them from the cache. Raises NotFound."""
        found = {reference: task for reference in references if (task := self._cache.get(reference)) is not None}
        wanted: dict[str, list[str]] = {}
        for reference in references:
            set_id, _, name = reference.partition("/")
            names = wanted.setdefault(set_id, [])
            if reference not in found:
                names.append(name)
        for set_id, name, data in self._read(wanted):
            if data is None:
                raise _build_not_found(set_id, name)
            reference = f"{set_id}/{name}"
            found[reference] = Task.model_validate_json(data)
            self._cache.put(reference, found[reference], len(data))
        return found

    def _write(self, key: str, fields: Mapping[str, bytes]) -> None:
        """Write a set in one transaction, so that a reader never sees a part of it."""
        names = list(fields)
        pipeline = self._redis.pipeline()
        for start in range(0, len(names), MAX_FIELDS_PER_WRITE):
            pipeline.hset(key, mapping={name: fields[name] for name in names[start : start + MAX_FIELDS_PER_WRITE]})
        pipeline.expire(key, self._ttl_s)
        pipeline.execute()

    def _read(self, wanted: Mapping[str, Sequence[str]]) -> list[tuple[str, str, bytes | None]]:
        """Return (set, name, JSON or None) for each wanted task, and renew the expiry of the sets."""
        pipeline = self._redis.pipeline(transaction=False)
        asked = [(set_id, names) for set_id, names in wanted.items() if names]
        for set_id, names in asked:
            pipeline.hmget(redis_keys.task_set(set_id), names)
        for set_id in wanted:
            pipeline.expire(redis_keys.task_set(set_id), self._ttl_s)
        storage_account.adjust_charges(
            pipeline,
            [(storage_account.task_set_member(set_id), 0, self._ttl_s) for set_id in self._select_due_renewals(wanted)],
        )
        answers = pipeline.execute()
        return [
            (set_id, name, data)
            for (set_id, names), values in zip(asked, answers, strict=False)
            for name, data in zip(names, values, strict=True)
        ]

    def _select_due_renewals(self, set_ids: Iterable[str]) -> list[str]:
        """Return the sets whose storage charge has not been renewed for a while."""
        now = time.monotonic()
        found = [set_id for set_id in set_ids if now - self._renewed_at.get(set_id, float("-inf")) > self._ttl_s / 100]
        if len(self._renewed_at) > MAX_REMEMBERED_SETS:
            self._renewed_at.clear()
        self._renewed_at.update(dict.fromkeys(found, now))
        return found


class _TaskCache:
    """A least-recently-used cache of tasks, limited by the total size of their JSON in bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._used_bytes = 0
        self._tasks: OrderedDict[str, tuple[Task, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, reference: str) -> Task | None:
        with self._lock:
            if reference not in self._tasks:
                return None
            self._tasks.move_to_end(reference)
            return self._tasks[reference][0]

    def put(self, reference: str, task: Task, size: int) -> None:
        with self._lock:
            if reference in self._tasks or size > self._max_bytes:
                return
            self._tasks[reference] = task, size
            self._used_bytes += size
            while self._used_bytes > self._max_bytes:
                self._used_bytes -= self._tasks.popitem(last=False)[1][1]


def _build_not_found(set_id: str, name: str) -> NotFound:
    what = f"no task {json.dumps(name)} in set {set_id}" if name else f"no task set {set_id}"
    return NotFound(
        f"{what}: it was never registered, or has expired; register it with PUT /tasks/{set_id}", field="tasks"
    )
