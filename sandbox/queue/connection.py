"""Connect a process to Redis."""

from __future__ import annotations

from redis import Redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError, TimeoutError
from redis.retry import Retry


def connect(url: str) -> Redis:
    """Return a Redis client that survives a server restart: it retries for about ten seconds."""
    retry = Retry(ExponentialBackoff(cap=1.0, base=0.05), retries=14)
    return Redis.from_url(url, retry=retry, retry_on_error=[ConnectionError, TimeoutError], health_check_interval=30)
