"""The process that delivers webhooks: signed as Standard Webhooks says, at least once, again and again until the last.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Theory of operation. One loop takes what is due out of the outbox and starts a task for each; a task makes one request,
within one time limit for all of it, and writes down what came of it. Everything is in Redis, so any number of these may
run, and one that dies is made good for by the others or by its successor. Only a status from 200 to 299 is a yes.
Redirects are not followed. 410 is a no for good. The signature is made anew for each try, for it holds the time.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

import httpcore
from redis.exceptions import RedisError
from standardwebhooks import Webhook

from sandbox.config import WebhookSettings
from sandbox.errors import NotFound
from sandbox.jobs.outbox import Letter, Outbox
from sandbox.jobs.public_network import Forbidden, PublicNetwork, networks

logger = logging.getLogger(__name__)

AT_ONCE = 64
LOOK_S = 0.1
LEASE_GRACE_S = 5.0
GONE = 410
MOST_ERROR_CHARS = 300
MOST_ANSWER_BYTES = 64 << 10

Outcome = Literal["delivered", "failed", "dead"]


class Watch(Protocol):
    """Who counts."""

    def tried(self, outcome: Outcome, took_s: float) -> None: ...

    def waiting(self, number: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """A try that failed: why, whether another is of use, and how soon the receiver wants it."""

    error: str
    final: bool = False
    retry_after_s: float = 0.0


class Deliverer:
    """`run` until `stop`; letters on their way are then given their time to arrive."""

    def __init__(self, settings: WebhookSettings, outbox: Outbox, watch: Watch) -> None:
        self._settings = settings
        self._outbox = outbox
        self._watch = watch
        self._signers = [Webhook(secret) for secret in settings.webhook_secret.split()]
        self._http = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=2 * AT_ONCE,
            max_keepalive_connections=AT_ONCE,
            keepalive_expiry=5.0,
            network_backend=PublicNetwork(networks(settings.webhook_networks)),
        )
        self._on_their_way: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        self._stopped.set()

    async def run(self) -> None:
        async with self._http:
            while not self._stopped.is_set():
                if not await self._send_due():
                    await self._rest()
            await asyncio.gather(*self._on_their_way)

    async def _send_due(self) -> bool:
        """Start a task for each letter that is due, as far as there is room; False when there is nothing to do now."""
        room = AT_ONCE - len(self._on_their_way)
        if not room:
            await asyncio.wait(self._on_their_way, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
            return True
        try:
            due = await asyncio.to_thread(self._outbox.take, room, self._settings.webhook_timeout_s + LEASE_GRACE_S)
            self._watch.waiting(await asyncio.to_thread(self._outbox.waiting))
        except RedisError as error:
            logger.warning("webhooks wait for Redis: %s", error)
            return False
        for webhook_id in due:
            task = asyncio.create_task(self._deliver(webhook_id))
            self._on_their_way.add(task)
            task.add_done_callback(self._on_their_way.discard)
        return bool(due)

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._stopped.wait(), LOOK_S)
        except TimeoutError:
            return

    async def _deliver(self, webhook_id: str) -> None:
        """One try. What Redis does not take down now is due again when the lease ends."""
        began = time.monotonic()
        try:
            refusal = await self._tried(webhook_id)
            outcome = await asyncio.to_thread(self._settle, webhook_id, refusal)
        except RedisError as error:
            logger.warning("webhook %s waits for Redis: %s", webhook_id, error)
            return
        except Exception:  # the process's boundary for one letter: the others are to go on
            logger.exception("webhook met a fault of ours", extra={"webhook": webhook_id})
            return
        self._watch.tried(outcome, time.monotonic() - began)

    async def _tried(self, webhook_id: str) -> Refusal | None:
        try:
            letter = await asyncio.to_thread(self._outbox.letter, webhook_id)
        except NotFound as error:
            return Refusal(str(error), final=True)
        try:
            async with asyncio.timeout(self._settings.webhook_timeout_s):
                return await self._post(letter)
        except Forbidden as error:
            return Refusal(str(error), final=True)
        except TimeoutError:
            return Refusal(f"no answer within {self._settings.webhook_timeout_s:g} s")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ssl.SSLError) as error:
            return Refusal(f"{type(error).__name__}: {error}")

    async def _post(self, letter: Letter) -> Refusal | None:
        headers = self._headers(letter)
        async with self._http.stream(letter.method, letter.url, headers=headers, content=letter.body) as answer:
            read = 0
            async for chunk in answer.aiter_stream():  # so that the connection can be used again
                read += len(chunk)
                if read > MOST_ANSWER_BYTES:
                    break
            if 200 <= answer.status < 300:
                return None
            return Refusal(f"status {answer.status}", answer.status == GONE, _retry_after(answer.headers))

    def _headers(self, letter: Letter) -> Mapping[bytes | str, bytes | str]:
        now = datetime.now(UTC)
        text = letter.body.decode()
        return {
            "Content-Type": "application/json",
            "User-Agent": "sandbox-webhooks",
            "webhook-id": letter.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signer.sign(letter.id, now, text) for signer in self._signers),
        }

    def _settle(self, webhook_id: str, refusal: Refusal | None) -> Outcome:
        if refusal is None:
            self._outbox.delivered(webhook_id)
            return "delivered"
        settings = self._settings
        error = refusal.error[:MOST_ERROR_CHARS]
        tries = self._outbox.failed(webhook_id, error, settings.webhook_dead_ttl_s)
        if refusal.final or tries >= settings.webhook_tries:
            self._outbox.bury(webhook_id, settings.webhook_dead_ttl_s)
            logger.error("webhook given up: %s", error, extra={"webhook": webhook_id, "tries": tries})
            return "dead"
        self._outbox.again(webhook_id, self._delay_s(tries, refusal.retry_after_s))
        return "failed"

    def _delay_s(self, tries: int, retry_after_s: float) -> float:
        """Exponential back-off, half of it by chance, so that a receiver that comes back is not met by all at once."""
        back_off = min(self._settings.webhook_max_delay_s, self._settings.webhook_first_delay_s * 2.0 ** (tries - 1))
        return min(self._settings.webhook_max_delay_s, max(retry_after_s, random.uniform(0.5, 1.0) * back_off))


def _retry_after(headers: list[tuple[bytes, bytes]]) -> float:
    told: Mapping[bytes, bytes] = {name.lower(): value for name, value in headers}
    seconds = told.get(b"retry-after", b"").strip()
    return float(seconds) if seconds.isdigit() and len(seconds) < 7 else 0.0
