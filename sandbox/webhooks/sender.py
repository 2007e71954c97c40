"""The process that delivers webhooks: signed as in Standard Webhooks, at least once, with a limited number of tries.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

Theory of operation. One loop takes due webhooks from the queue and starts a task for each. A task makes one request,
within a single time limit, and records the outcome. All state is in Redis, so any number of senders may run, and
another one takes over if a sender dies. Only a status from 200 to 299 is a success. Redirects are not followed. Status
410 is a permanent failure. Each try has a new signature, because the signature covers the time.
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
from standardwebhooks import Webhook

from sandbox.config import WebhookSettings
from sandbox.errors import NotFound
from sandbox.queue.connection import log_redis_errors
from sandbox.webhooks.public_network import AddressForbidden, PublicNetworkBackend, parse_networks
from sandbox.webhooks.queue import WebhookQueue, WebhookRequest

logger = logging.getLogger(__name__)

MAX_CONCURRENT_REQUESTS = 64
POLL_INTERVAL_S = 0.1
LEASE_GRACE_S = 5.0
HTTP_GONE = 410
MAX_ERROR_CHARS = 300
MAX_RESPONSE_BYTES = 64 << 10

AttemptOutcome = Literal["delivered", "failed", "dead"]


class DeliveryObserver(Protocol):
    """Records delivery metrics."""

    def record_attempt(self, outcome: AttemptOutcome, took_s: float) -> None: ...

    def record_backlog(self, due_count: int) -> None: ...


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """A failed try: its error, whether to give up, and the delay that the receiver asked for (0: none)."""

    error: str
    is_permanent: bool = False
    retry_after_s: float = 0.0


class WebhookSender:
    """Delivers webhooks. `run` returns after `stop`, once the requests in flight have ended."""

    def __init__(self, settings: WebhookSettings, webhook_queue: WebhookQueue, observer: DeliveryObserver) -> None:
        self._settings = settings
        self._webhook_queue = webhook_queue
        self._observer = observer
        self._signers = [Webhook(secret) for secret in settings.webhook_secret.split()]
        self._http = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(),
            max_connections=2 * MAX_CONCURRENT_REQUESTS,
            max_keepalive_connections=MAX_CONCURRENT_REQUESTS,
            keepalive_expiry=5.0,
            network_backend=PublicNetworkBackend(parse_networks(settings.webhook_networks)),
        )
        self._in_flight: set[asyncio.Task[None]] = set()
        self._stop_requested = asyncio.Event()

    def stop(self) -> None:
        self._stop_requested.set()

    async def run(self) -> None:
        async with self._http:
            while not self._stop_requested.is_set():
                if not await self._send_due():
                    await self._wait_for_work()
            await asyncio.gather(*self._in_flight)

    async def _send_due(self) -> bool:
        """Start a task for each due webhook while there is room. Returns False if no webhook is due."""
        room = MAX_CONCURRENT_REQUESTS - len(self._in_flight)
        if not room:
            await asyncio.wait(self._in_flight, timeout=POLL_INTERVAL_S, return_when=asyncio.FIRST_COMPLETED)
            return True
        due: list[str] = []
        with log_redis_errors(logger, "cannot read due webhooks from Redis, retrying"):
            due = await asyncio.to_thread(
                self._webhook_queue.lease_due, room, self._settings.webhook_timeout_s + LEASE_GRACE_S
            )
            self._observer.record_backlog(await asyncio.to_thread(self._webhook_queue.count_due))
        for webhook_id in due:
            task = asyncio.create_task(self._deliver(webhook_id))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
        return bool(due)

    async def _wait_for_work(self) -> None:
        try:
            await asyncio.wait_for(self._stop_requested.wait(), POLL_INTERVAL_S)
        except TimeoutError:
            return

    async def _deliver(self, webhook_id: str) -> None:
        """Try once to deliver a webhook. If Redis cannot record the outcome, it is due again when its lease ends."""
        began = time.monotonic()
        try:
            with log_redis_errors(logger, "cannot update webhook %s in Redis, retrying later", webhook_id):
                failure = await self._attempt(webhook_id)
                outcome = await asyncio.to_thread(self._record_outcome, webhook_id, failure)
                self._observer.record_attempt(outcome, time.monotonic() - began)
        except Exception:  # the boundary of one delivery: the others must continue
            logger.exception("webhook failed with an internal error", extra={"webhook": webhook_id})

    async def _attempt(self, webhook_id: str) -> DeliveryFailure | None:
        try:
            request = await asyncio.to_thread(self._webhook_queue.build_request, webhook_id)
        except NotFound as error:
            return DeliveryFailure(str(error), is_permanent=True)
        try:
            async with asyncio.timeout(self._settings.webhook_timeout_s):
                return await self._send_request(request)
        except AddressForbidden as error:
            return DeliveryFailure(str(error), is_permanent=True)
        except TimeoutError:
            return DeliveryFailure(f"no response within {self._settings.webhook_timeout_s:g} s")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ssl.SSLError) as error:
            return DeliveryFailure(f"{type(error).__name__}: {error}")

    async def _send_request(self, request: WebhookRequest) -> DeliveryFailure | None:
        headers = self._build_headers(request)
        async with self._http.stream(request.method, request.url, headers=headers, content=request.body) as response:
            read = 0
            async for chunk in response.aiter_stream():  # so that the connection can be reused
                read += len(chunk)
                if read > MAX_RESPONSE_BYTES:
                    break
            if 200 <= response.status < 300:
                return None
            return DeliveryFailure(
                f"status {response.status}", response.status == HTTP_GONE, _parse_retry_after_s(response.headers)
            )

    def _build_headers(self, request: WebhookRequest) -> Mapping[bytes | str, bytes | str]:
        now = datetime.now(UTC)
        text = request.body.decode()
        return {
            "Content-Type": "application/json",
            "User-Agent": "sandbox-webhooks",
            "webhook-id": request.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signer.sign(request.id, now, text) for signer in self._signers),
        }

    def _record_outcome(self, webhook_id: str, failure: DeliveryFailure | None) -> AttemptOutcome:
        if failure is None:
            self._webhook_queue.mark_delivered(webhook_id)
            return "delivered"
        settings = self._settings
        error = failure.error[:MAX_ERROR_CHARS]
        tries = self._webhook_queue.record_failure(webhook_id, error, settings.webhook_dead_ttl_s)
        if failure.is_permanent or tries >= settings.webhook_tries:
            self._webhook_queue.dead_letter(webhook_id, settings.webhook_dead_ttl_s)
            logger.error("webhook given up: %s", error, extra={"webhook": webhook_id, "tries": tries})
            return "dead"
        self._webhook_queue.reschedule(webhook_id, self._compute_delay_s(tries, failure.retry_after_s))
        return "failed"

    def _compute_delay_s(self, tries: int, retry_after_s: float) -> float:
        """Return an exponential back-off delay. Half of it is random, so that a recovering receiver is not flooded."""
        back_off = min(self._settings.webhook_max_delay_s, self._settings.webhook_first_delay_s * 2.0 ** (tries - 1))
        return min(self._settings.webhook_max_delay_s, max(retry_after_s, random.uniform(0.5, 1.0) * back_off))


def _parse_retry_after_s(headers: list[tuple[bytes, bytes]]) -> float:
    values: Mapping[bytes, bytes] = {name.lower(): value for name, value in headers}
    seconds = values.get(b"retry-after", b"").strip()
    return float(seconds) if seconds.isdigit() and len(seconds) < 7 else 0.0
