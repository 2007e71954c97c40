"""The limits that a submission must pass: the quotas of its API key, and the room in Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox.queue.job_store import allow_any_owner
from sandbox.queue.quotas import Quotas
from sandbox.queue.storage_account import submission_member
from sandbox.queue.storage_limits import StorageLimiter
from sandbox.request_context import CURRENT_CALLER
from sandbox.schema.reward import RewardRequest


class Admission:
    """Charges submissions to the API key of the current request."""

    def __init__(self, quotas: Quotas, storage_limiter: StorageLimiter, queue_ttl_s: int, result_ttl_s: int) -> None:
        self._quotas = quotas
        self._storage_limiter = storage_limiter
        self._stored_ttl_s = queue_ttl_s + result_ttl_s
        self._result_ttl_s = result_ttl_s

    def check_room(self) -> None:
        """Raise StorageFull if Redis has no room for more work."""
        self._storage_limiter.admit()

    def admit(self, item_ids: Sequence[str]) -> str:
        """Count items against their caller's limits; return the caller's id, empty if there are no API keys.

        Raises RateLimited, QuotaExceeded or QueueUnavailable.
        """
        caller = CURRENT_CALLER.get()
        if caller is None:
            return ""
        self._quotas.admit(caller, item_ids)
        return caller.id

    def release(self, client: str, item_ids: Sequence[str]) -> None:
        """Undo `admit`. Raises QueueUnavailable."""
        if client:
            self._quotas.release(client, item_ids)

    def charge(self, submission_id: str, request_bytes: int, reward: RewardRequest | None) -> None:
        """Count the bytes that a submission takes in Redis until it expires.

        Raises StorageFull, StorageQuotaExceeded, or RedisError.
        """
        size = request_bytes + (0 if reward is None else len(reward.model_dump_json(exclude_unset=True)))
        self._storage_limiter.charge(
            submission_member(submission_id), get_caller_id(), size, self._stored_ttl_s, get_max_stored_bytes()
        )

    def refund(self, submission_id: str) -> None:
        """Cancel the charge of a submission that was not accepted. Raises RedisError."""
        self._storage_limiter.release(submission_member(submission_id))

    def refund_requests(self, submission_id: str, request_bytes: int) -> None:
        """Refund the requests of a cancelled submission; its results remain charged. Raises RedisError."""
        self._storage_limiter.shrink(submission_member(submission_id), request_bytes, self._result_ttl_s)


def get_caller_id() -> str:
    """Return the id of the current request's API key, empty if there are no keys."""
    caller = CURRENT_CALLER.get()
    return "" if caller is None else caller.id


def get_max_stored_bytes() -> int:
    """Return the maximum number of bytes stored for the current caller; 0 means no limit."""
    caller = CURRENT_CALLER.get()
    return 0 if caller is None else caller.max_kept_mb << 20


def get_owner_filter() -> Callable[[str], bool]:
    """Return a predicate that tells whether the current caller may see and cancel the jobs of an owner."""
    caller = CURRENT_CALLER.get()
    return allow_any_owner if caller is None else caller.may_see
