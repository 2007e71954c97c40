"""Connect to Redis and log its outages, in the same way in every process.

Theory of operation. All clients of one Redis in a process share a monitor, which sees each failed attempt and each
reply. It logs one warning when no command has succeeded for a second, a reminder each minute, and one line when Redis
is back. To make that warning the only one, code that handles a failed command logs it with `log_redis_errors` or at
`get_failure_log_level`. Code that must report the failure to a client uses `translate_redis_errors`. Workers wait for
Redis without limit (`forever`). Processes that serve clients give up after about ten seconds.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, OutOfMemoryError, RedisError, TimeoutError
from redis.retry import Retry

from sandbox.errors import QueueUnavailable, SandboxError, StorageFull
from sandbox.queue import cluster

logger = logging.getLogger(__name__)

RETRIES = 14  # in about ten seconds
FOREVER = -1
MAX_PAUSE_S = 1.0
MAX_DOUBLINGS = 10  # with more, the number of failures would become too large for a float
UNREACHABLE_AFTER_S = 1.0  # a restart, or an idle connection that the server dropped, is not worth a log line
REMINDER_INTERVAL_S = 60.0
FULL_RETRY_AFTER_S = 30.0
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
_monitors: WeakValueDictionary[str, _ConnectionMonitor] = WeakValueDictionary()


def connect(url: str, forever: bool = False) -> Redis:
    """Return a Redis client that survives a restart of the server: it retries for about ten seconds, or `forever`.

    The URL of a cluster gives a client of one of its slots (`cluster`). Raises QueueUnavailable if that URL is invalid.
    """
    monitor = _monitors.get(url) or _monitors.setdefault(url, _ConnectionMonitor(url))
    retry = _MonitoredRetry(monitor, forever)
    return open_client(url, retry=retry, retry_on_error=[ConnectionError, TimeoutError], health_check_interval=30)


def open_client(url: str, **options: Any) -> Redis:
    """Return a Redis client with these options for its connections. Raises what `connect` raises."""
    if cluster.is_cluster_url(url):
        return cluster.connect_to_slot(cluster.parse_cluster_url(url), **options)
    return Redis.from_url(url, **options)


def is_unreachable() -> bool:
    """Return whether this process has logged that a Redis server does not answer, and is still waiting for it."""
    return any(monitor.is_unreachable for monitor in list(_monitors.values()))


def get_failure_log_level() -> int:
    """Return the level at which to log that a command failed."""
    return logging.DEBUG if is_unreachable() else logging.WARNING


def translate_redis_errors(query: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Decorate a function so that it raises StorageFull or QueueUnavailable instead of a Redis error."""

    @wraps(query)
    def query_and_translate(*args: Arguments.args, **options: Arguments.kwargs) -> Answer:
        try:
            return query(*args, **options)
        except RedisError as error:
            raise _translate(error) from error

    return query_and_translate


@contextmanager
def log_redis_errors(log: logging.Logger, failed: str, *args: object) -> Iterator[None]:
    """Log an error of Redis instead of raising it. `failed` says what failed, with the format arguments `args`."""
    try:
        yield
    except RedisError as error:
        log.log(get_failure_log_level(), f"{failed}: %s", *args, error)


def is_redis_full(error: RedisError) -> bool:
    """Return whether Redis refused a write because it is out of memory."""
    return isinstance(error, OutOfMemoryError) or "OOM command not allowed" in str(error)


def _translate(error: RedisError) -> SandboxError:
    if is_redis_full(error):
        return StorageFull("the queue's Redis is full", FULL_RETRY_AFTER_S)
    return QueueUnavailable(f"the queue does not respond: {error}")


def stop_waiting() -> None:
    """Make the commands of all clients fail while Redis is unreachable. Called when this process must end."""
    for monitor in list(_monitors.values()):
        monitor.is_stopping = True


def hide_password(url: str) -> str:
    """Return a Redis URL without its user name and password."""
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    host, slash, path = place.partition("/")
    shown = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in {"username", "password"}]
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}" + ("?" + "&".join(shown) if shown else "")


class _ConnectionMonitor:
    """The state of one Redis server, as this process sees it. Thread-safe."""

    def __init__(self, url: str) -> None:
        self._url = hide_password(url)
        self._logged_at = 0.0
        self._lock = threading.Lock()
        self.failing_since = 0.0
        self.is_stopping = False

    def __deepcopy__(self, memo: Any) -> _ConnectionMonitor:
        """Return the monitor itself, because redis-py copies a client's retry for each of its connections."""
        return self

    @property
    def is_unreachable(self) -> bool:
        return self._logged_at > 0.0

    def record_failure(self, error: Exception) -> None:
        now = time.monotonic()
        with self._lock:
            self.failing_since = self.failing_since or now
            away_s = now - self.failing_since
            is_reminder_due = now - self._logged_at >= REMINDER_INTERVAL_S
            if away_s < UNREACHABLE_AFTER_S or (self.is_unreachable and not is_reminder_due):
                return
            self._logged_at = now
        logger.warning("Redis at %s has not answered for %.0f s, trying again: %s", self._url, away_s, error)

    def record_answer(self) -> None:
        with self._lock:
            was_unreachable, away_s = self.is_unreachable, time.monotonic() - self.failing_since
            self.failing_since = self._logged_at = 0.0
        if was_unreachable:
            logger.info("Redis at %s answers again after %.0f s", self._url, away_s)


class _MonitoredRetry(Retry):  # type: ignore[misc]
    """Reports failures and answers to the monitor."""

    def __init__(self, monitor: _ConnectionMonitor, forever: bool) -> None:
        super().__init__(_BoundedBackoff(cap=MAX_PAUSE_S, base=0.05), FOREVER if forever else RETRIES)
        self._monitor = monitor

    def call_with_retry(self, do: Callable[[], Any], fail: Callable[..., Any], *args: Any, **options: Any) -> Any:
        def record_failure(error: Exception, *count: int) -> None:
            self._monitor.record_failure(error)
            fail(error, *count)
            if self._monitor.is_stopping and self._monitor.is_unreachable:
                raise error

        answer = super().call_with_retry(do, record_failure, *args, **options)
        # A connection alone is no answer: a server that is still loading its data accepts connections.
        if self._monitor.failing_since and answer is not None and not isinstance(answer, socket.socket):
            self._monitor.record_answer()
        return answer


class _BoundedBackoff(ExponentialBackoff):  # type: ignore[misc]
    def compute(self, failures: int) -> float:
        return float(super().compute(min(failures, MAX_DOUBLINGS)))
