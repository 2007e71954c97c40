"""Call a session from a route: send the call, wait for the answer, and detect that the session's host died.

If the session was opened with `replay`, it is rebuilt on another host and the call is sent again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.requests import ClientDisconnect

from sandbox.api.result_waiter import wait_for_disconnect
from sandbox.errors import BoxError, NoFreeSession, QueueUnavailable, SandboxError, SessionEnded
from sandbox.queue.session_answers import Answer, OnPart, decode_answer
from sandbox.queue.session_calls import OPEN_GRACE_S, REOPEN_LOCK_S, PendingCall, SessionCalls
from sandbox.queue.session_openings import Opening, SessionOpenings
from sandbox.queue.session_records import parse_stored
from sandbox.queue.session_requests import Claim, derive_ids
from sandbox.request_context import generate_id
from sandbox.schema.sessions import ForkRequest, ForkResult, SessionInfo, SessionRequest, SessionStatus

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 16 << 20  # of a file that a request writes
HOST_CHECK_INTERVAL_S = 1.0
OPEN_TIMEOUT_S = 120.0  # for a host that has taken a request
BUILD_TIMEOUT_S = 3_600.0  # for one that may have to build an environment first
POLL_INTERVAL_S = 0.1


async def open_session(calls: SessionCalls, request: Request, wanted: SessionRequest, key: str = "") -> SessionInfo:
    """Open a session; wait up to `wanted.wait_s` for a free place. A repeated key gets the session of the first one.

    Raises `errors.NoFreeSession`, `errors.SessionQuotaExceeded`, `errors.IdempotencyKeyReused`,
    `errors.QueueUnavailable`, `errors.BoxError`, or ClientDisconnect.
    """
    openings = SessionOpenings(calls)
    gone = asyncio.create_task(wait_for_disconnect(request))
    try:
        while True:
            opening = await asyncio.to_thread(openings.open, wanted, key)
            try:
                if opening.call is not None:
                    timeout_s = BUILD_TIMEOUT_S if wanted.environment else OPEN_TIMEOUT_S
                    return await _wait_for_open(calls, opening.call, wanted.wait_s, gone, timeout_s)
                sessions = await _wait_for_first_request(openings, opening.claim, 1, wanted.wait_s, gone)
            except BaseException:
                await asyncio.shield(_give_up(openings, opening))
                raise
            if sessions is not None:
                return sessions[0]
    finally:
        gone.cancel()


async def fork_session(
    calls: SessionCalls, request: Request, session_id: str, wanted: ForkRequest, key: str = ""
) -> ForkResult:
    """Fork a session. A repeated key gets the forks of the first request.

    Raises `errors.SessionQuotaExceeded`, `errors.IdempotencyKeyReused`, ClientDisconnect, or the errors of
    `call_session`.
    """
    openings = SessionOpenings(calls)
    if not key and not openings.limits_sessions:  # a fork takes as long as a few round trips to Redis
        ids = derive_ids(Claim(generate_id()), wanted.count)
        return ForkResult.model_validate(await call_session(calls, session_id, {"do": "fork", "ids": ids}))
    record = await asyncio.to_thread(calls.get, session_id)
    gone = asyncio.create_task(wait_for_disconnect(request))
    try:
        while True:
            claim = await asyncio.to_thread(openings.claim, ["fork", session_id], wanted, key)
            ids = derive_ids(claim, wanted.count)
            if not claim.is_first:
                if await _wait_for_first_request(openings, claim, wanted.count, 0.0, gone) is None:
                    continue
                return ForkResult(ids=ids)
            try:
                await asyncio.to_thread(openings.admit_forks, record, ids)
                answer = await call_session(calls, session_id, {"do": "fork", "ids": ids})
                return ForkResult.model_validate(answer)
            except BaseException:
                await asyncio.shield(asyncio.to_thread(openings.abandon, claim, record.owner, ids))
                raise
    finally:
        gone.cancel()


async def call_session(
    calls: SessionCalls, session_id: str, fields: Mapping[str, Any], on_part: OnPart | None = None
) -> Answer:
    """Send a call to a session and return the answer.

    Raises `errors.NotFound`, `errors.SessionEnded`, `errors.SessionBusy`, `errors.SequenceMismatch`,
    `errors.BadRequest`, `errors.BoxError` or `errors.QueueUnavailable`.
    """
    while True:
        pending = await asyncio.to_thread(calls.send, session_id, fields, on_part)
        if not isinstance(pending, PendingCall):
            await _ensure_host(calls, session_id)
        elif (message := await _wait_for_answer(calls, pending, session_id)) is not None:
            return decode_answer(message)
        elif fields["do"] == "execute" and "sequence" not in fields["call"]:
            raise BoxError("the session's host died during a call without `sequence`, so the call may have run or not")


async def _wait_for_open(
    calls: SessionCalls, call: PendingCall, wait_s: float, gone: asyncio.Future[None], timeout_s: float
) -> SessionInfo:
    future = _wrap(call)
    await _wait_for_either(future, gone, wait_s + OPEN_GRACE_S)
    if not future.done():
        if await asyncio.to_thread(calls.withdraw, call):
            raise NoFreeSession(f"all places for sessions were taken for {wait_s:g} s", 2.0)
        await _wait_for_either(future, gone, timeout_s)
    if not future.done():
        raise NoFreeSession("the host that took the request did not answer", 2.0)
    return parse_stored(SessionInfo, decode_answer(future.result())["session"])


async def _wait_for_first_request(
    openings: SessionOpenings, claim: Claim, count: int, wait_s: float, gone: asyncio.Future[None]
) -> list[SessionInfo] | None:
    """Wait for the sessions of an earlier request with the same key. Returns None if that request failed."""
    ids = derive_ids(claim, count)
    deadline = time.monotonic() + wait_s + OPEN_TIMEOUT_S
    while (sessions := await asyncio.to_thread(openings.find_sessions, ids)) is None:
        if not await asyncio.to_thread(openings.is_claimed, claim):
            return None
        if time.monotonic() > deadline:
            raise NoFreeSession("an earlier request with this key has not ended", 2.0)
        await _wait_for_either(None, gone, POLL_INTERVAL_S)
    return sessions


async def _wait_for_either(future: asyncio.Future[bytes] | None, gone: asyncio.Future[None], timeout_s: float) -> None:
    """Wait until a future is done or the time is up. Raises ClientDisconnect."""
    futures: set[asyncio.Future[Any]] = {gone} if future is None else {gone, future}
    await asyncio.wait(futures, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    if gone.done() and (future is None or not future.done()):
        raise ClientDisconnect


async def _give_up(openings: SessionOpenings, opening: Opening) -> None:
    try:
        await asyncio.to_thread(openings.give_up, opening)
    except QueueUnavailable as error:
        logger.warning("cannot give up a session: %s", error, extra={"session": opening.claim.session_id})


def _wrap(call: PendingCall) -> asyncio.Future[bytes]:
    """Return a call's future for this event loop. Wait for it with `asyncio.wait`, which never cancels it."""
    future = asyncio.wrap_future(call.future)
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may fail when nobody waits
    return future


async def _wait_for_answer(calls: SessionCalls, call: PendingCall, session_id: str) -> bytes | None:
    """Return the answer, or None if the session was rebuilt on another host. Raises `errors.SessionEnded`.

    A host may seem dead for a moment, and still run the call. The call is therefore given up only when its session is
    lost or rebuilt, and never sent twice to one host.
    """
    future = _wrap(call)
    try:
        while True:
            await asyncio.wait({future}, timeout=HOST_CHECK_INTERVAL_S)
            if future.done():
                return future.result()
            if await asyncio.to_thread(calls.is_host_alive, call.host):
                continue
            try:
                await _ensure_host(calls, session_id)
            except SandboxError:
                await asyncio.sleep(0)
                if future.done():  # the answer arrived at the last moment
                    return future.result()
                raise
            if await asyncio.to_thread(calls.find_living_host, session_id) not in ("", call.host):
                return None
    finally:
        if not future.done():
            calls.forget(call)


async def _ensure_host(calls: SessionCalls, session_id: str) -> None:
    """Mark a session as lost if its host is dead, or rebuild it if it has a journal. Raises `errors.SessionEnded`."""
    session = await asyncio.to_thread(calls.mark_lost, session_id)
    if session.status is not SessionStatus.OPEN:
        raise SessionEnded(f"the session is {session.status}: {session.reason}")
    if session.replay:
        await _reopen(calls, session_id)


async def _reopen(calls: SessionCalls, session_id: str) -> None:
    """Rebuild a session on another host, or wait until another process has rebuilt it."""
    if await asyncio.to_thread(calls.find_living_host, session_id):
        return
    pending = await asyncio.to_thread(calls.reopen, session_id)
    future = None if pending is None else _wrap(pending)
    try:
        async with asyncio.timeout(REOPEN_LOCK_S):
            while not await asyncio.to_thread(calls.find_living_host, session_id):
                if future is None:
                    await asyncio.sleep(POLL_INTERVAL_S)
                elif (await asyncio.wait({future}, timeout=HOST_CHECK_INTERVAL_S))[0]:
                    decode_answer(future.result())
                    return
                if await asyncio.to_thread(calls.end_abandoned_reopen, session_id):
                    return  # the host that rebuilt it died too; the caller asks again
    except TimeoutError:
        raise NoFreeSession("no host rebuilt the session in time", 2.0) from None
    finally:
        if pending is not None and future is not None and not future.done():
            calls.forget(pending)
