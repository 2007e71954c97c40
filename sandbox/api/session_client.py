"""Call a session from a route: send the call, wait for the answer, and detect that the session's host died.

If the session was opened with `replay`, it is rebuilt on another host and the call is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sandbox.errors import NoFreeSession, SessionEnded
from sandbox.queue.session_answers import Answer, OnPart, decode_answer
from sandbox.queue.session_calls import OPEN_GRACE_S, PendingCall, SessionCalls
from sandbox.schema.sessions import SessionInfo, SessionRequest, SessionStatus

HOST_CHECK_INTERVAL_S = 1.0
REOPEN_TIMEOUT_S = 120.0
REOPEN_POLL_INTERVAL_S = 0.1


async def open_session(calls: SessionCalls, request: SessionRequest) -> SessionInfo:
    """Open a session; wait up to `request.wait_s` for a free place.

    Raises `errors.NoFreeSession`, `errors.SessionQuotaExceeded`, `errors.QueueUnavailable` or `errors.BoxError`.
    """
    session_id, pending = await asyncio.to_thread(calls.open, request)
    answer = await _wait_for_open(calls, pending, session_id, request.wait_s)
    return SessionInfo.model_validate(answer["session"])


async def call_session(
    calls: SessionCalls, session_id: str, fields: Mapping[str, Any], on_part: OnPart | None = None
) -> Answer:
    """Send a call to a session and return the answer.

    Raises `errors.NotFound`, `errors.SessionEnded`, `errors.SessionBusy`, `errors.SequenceMismatch`,
    `errors.BadRequest`, `errors.BoxError` or `errors.QueueUnavailable`.
    """
    while True:
        pending = await asyncio.to_thread(calls.send, session_id, fields, on_part)
        if isinstance(pending, PendingCall):
            message = await _wait_for_answer(calls, pending)
            if message is not None:
                return decode_answer(message)
        session = await asyncio.to_thread(calls.mark_lost, session_id)
        if session.status is not SessionStatus.OPEN:
            raise SessionEnded(f"the session is {session.status}: {session.reason}")
        if not session.replay:
            continue  # its host has just come back
        await _reopen(calls, session_id)


async def _wait_for_open(calls: SessionCalls, pending: PendingCall, session_id: str, wait_s: float) -> Answer:
    future = asyncio.wrap_future(pending.future)
    try:
        done, _ = await asyncio.wait({future}, timeout=wait_s + OPEN_GRACE_S)
        if not done and await asyncio.to_thread(calls.withdraw, pending, session_id):
            future.cancel()
            raise NoFreeSession(f"all places for sessions were taken for {wait_s:g} s", 2.0)
        async with asyncio.timeout(REOPEN_TIMEOUT_S):
            return decode_answer(await future)
    except TimeoutError:
        raise NoFreeSession("the host that took the request did not answer", 2.0) from None
    except asyncio.CancelledError:
        await asyncio.shield(asyncio.to_thread(_give_up_open, calls, pending, session_id))
        raise


def _give_up_open(calls: SessionCalls, pending: PendingCall, session_id: str) -> None:
    """Withdraw the request of a client that disconnected, or close the session if it is already open."""
    if not calls.withdraw(pending, session_id):
        calls.close_when_open(pending, session_id)


async def _wait_for_answer(calls: SessionCalls, pending: PendingCall) -> bytes | None:
    """Return the answer, or None if the host died."""
    future = asyncio.wrap_future(pending.future)
    try:
        while True:
            done, _ = await asyncio.wait({future}, timeout=HOST_CHECK_INTERVAL_S)
            if done:
                return future.result()
            if not await asyncio.to_thread(calls.is_host_alive, pending.host):
                await asyncio.sleep(0)
                if future.done():
                    return future.result()
                calls.forget(pending)
                return None
    except asyncio.CancelledError:
        calls.forget(pending)
        raise


async def _reopen(calls: SessionCalls, session_id: str) -> None:
    """Rebuild a session on another host, or wait until another process has rebuilt it."""
    pending = await asyncio.to_thread(calls.reopen, session_id)
    future = None if pending is None else asyncio.wrap_future(pending.future)
    try:
        async with asyncio.timeout(REOPEN_TIMEOUT_S):
            while not await asyncio.to_thread(calls.has_living_host, session_id):
                if future is None:
                    await asyncio.sleep(REOPEN_POLL_INTERVAL_S)
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
