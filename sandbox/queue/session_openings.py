"""Open sessions and forks, only once for each idempotency key. A request that fails leaves nothing behind.

Theory of operation. A request for a session is counted against the quota of its caller, and goes into the list that all
hosts read. If the client disconnects, the request is withdrawn, or the session is closed as soon as it is open.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass

from redis.exceptions import RedisError

from sandbox import errors
from sandbox.queue import session_records, session_requests
from sandbox.queue.admission import get_caller_id
from sandbox.queue.connection import translate_redis_errors
from sandbox.queue.environments import Environments
from sandbox.queue.idempotency import KeyedRequest
from sandbox.queue.session_calls import OPEN_GRACE_S, PendingCall, SessionCalls
from sandbox.queue.session_records import SessionRecord
from sandbox.queue.session_requests import Claim
from sandbox.request_context import CURRENT_CALLER
from sandbox.schema.sessions import ForkRequest, SessionInfo, SessionRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opening:
    """A session that a client waits for. `call` is None if an earlier request with the same key opens the session."""

    claim: Claim
    owner: str
    call: PendingCall | None


class SessionOpenings:
    """Asks for sessions and forks. Thread-safe. Methods raise `errors.QueueUnavailable` if Redis does not answer."""

    def __init__(self, calls: SessionCalls) -> None:
        self._calls = calls
        self._environments = Environments(calls.redis, 0)

    @translate_redis_errors
    def open(self, request: SessionRequest, key: str = "") -> Opening:
        """Ask for a new session, unless an earlier request with the same idempotency key has asked for it.

        Raises `errors.NoFreeSession` if no host holds sessions, `errors.SessionQuotaExceeded`,
        `errors.IdempotencyKeyReused`, or `errors.BadRequest` for an environment that sessions cannot have.
        """
        owner = get_caller_id()
        claim = self.claim(["session"], request, key)
        if not claim.is_first:
            return Opening(claim, owner, None)
        try:
            fields = {
                "do": "open",
                "session": claim.session_id,
                "owner": owner,
                "expires_at": time.time() + request.wait_s + OPEN_GRACE_S,
                "memory_mb": request.limits.memory_mb,
                "request": self._environments.bind_session(request).model_dump(mode="json"),
            }
            if not session_records.count_hosts(self._calls.redis, self._calls.lease_s):
                raise errors.NoFreeSession("no session host is running; set SANDBOX_SESSIONS on a host", 5.0)
            self._admit(owner, [claim.session_id], request.ttl_s)
            return Opening(claim, owner, self._calls.push_open(fields))
        except (errors.SandboxError, RedisError):
            self.abandon(claim, owner, [claim.session_id])
            raise

    @translate_redis_errors
    def claim(self, route: list[str], request: SessionRequest | ForkRequest, key: str) -> Claim:
        """Claim the sessions of an idempotency key, or new ones if there is no key.

        Raises `errors.IdempotencyKeyReused`.
        """
        keyed = KeyedRequest.create(get_caller_id(), key, route, [request])
        return session_requests.claim_session(self._calls.redis, keyed)

    @translate_redis_errors
    def abandon(self, claim: Claim, owner: str, session_ids: list[str]) -> None:
        """Stop counting sessions that were not opened; a repetition of their request starts again."""
        session_requests.remove_request(self._calls.redis, claim)
        session_records.release_sessions(self._calls.redis, owner, session_ids)

    @translate_redis_errors
    def is_claimed(self, claim: Claim) -> bool:
        """Return whether a request with an idempotency key has neither failed nor been given up."""
        return bool(claim.holder) and session_requests.exists(self._calls.redis, claim)

    @translate_redis_errors
    def find_sessions(self, session_ids: list[str]) -> list[SessionInfo] | None:
        """Return sessions by their ids, or None if one of them is not open yet."""
        try:
            return [session_records.read_record(self._calls.redis, each).session for each in session_ids]
        except errors.NotFound:
            return None

    @translate_redis_errors
    def give_up(self, opening: Opening) -> None:
        """Leave nothing of a request whose client is gone or gets an error.

        If a repetition of the request waits for the session, the session remains.
        """
        claim, call = opening.claim, opening.call
        if call is not None and call.future.done():  # the host failed to open it, or the request was withdrawn
            self.abandon(claim, opening.owner, [claim.session_id])
            return
        if not session_requests.release_claim(self._calls.redis, claim) and self.is_claimed(claim):
            is_withdrawn = False
        else:
            self.abandon(claim, opening.owner, [claim.session_id])
            is_withdrawn = call is not None and self._calls.withdraw(call)
        if call is None:
            self._close_unless_claimed(claim)
        elif not is_withdrawn:
            call.future.add_done_callback(lambda future: self._handle_late_answer(future, claim))

    def _handle_late_answer(self, future: Future[bytes], claim: Claim) -> None:
        """Close a session that was opened after its client had gone."""
        if not future.cancelled() and future.exception() is None and "session" in json.loads(future.result()):
            # In a thread of its own, because this may be the thread that reads answers.
            threading.Thread(target=self._close_unless_claimed, args=(claim,), daemon=True).start()

    def _close_unless_claimed(self, claim: Claim) -> None:
        """Close a session without waiting for the answer, unless a repetition of its request waits for it."""
        try:
            if self.is_claimed(claim):
                return
            call = self._calls.send(claim.session_id, {"do": "close"})
            if isinstance(call, PendingCall):
                self._calls.forget(call)
        except errors.NotFound:
            return
        except errors.SandboxError as error:
            logger.warning("cannot close an abandoned session: %s", error, extra={"session": claim.session_id})

    @translate_redis_errors
    def admit_forks(self, record: SessionRecord, session_ids: list[str]) -> None:
        """Count new forks against the limit of their owner. Raises `errors.SessionQuotaExceeded`."""
        self._admit(record.owner, session_ids, max(1.0, record.session.expires_at - time.time()))

    @property
    def limits_sessions(self) -> bool:
        """Whether the caller may have only a limited number of sessions."""
        return CURRENT_CALLER.get() is not None and self._calls.max_sessions > 0

    def _admit(self, owner: str, session_ids: list[str], ttl_s: float) -> None:
        max_sessions = self._calls.max_sessions if self.limits_sessions else 0
        session_records.admit_sessions(self._calls.redis, owner, session_ids, ttl_s, max_sessions)
