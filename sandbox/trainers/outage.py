"""Decide what a reward function does while the service does not answer: wait, and finally stop the training.

A trainer does not notice missing rewards: it continues with a loss of 0 until the run ends. By default a reward
function therefore waits for `patience_s`, long enough for a deployment or a reboot, and then raises. With
`on_outage="none"` the rewards of a batch are None at once, and the trainer drops these samples; several such batches in
a row raise.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import httpx

from sandbox.errors import BadRequest, InfrastructureError

logger = logging.getLogger(__name__)

OnOutage = Literal["wait", "none"]

FIRST_PAUSE_S = 0.5
MAX_PAUSE_S = 10.0
REMINDER_INTERVAL_S = 30.0
PROBE_TIMEOUT_S = 10.0


class ServiceLost(InfrastructureError):
    """The service did not answer within the time allowed, or gave no rewards for several batches in a row."""


@dataclass(frozen=True, slots=True)
class OutagePolicy:
    """How a reward function handles an outage.

    on_outage: `wait` for the service, or return `none` as the rewards of the batch at once.
    patience_s: seconds to wait in one batch before raising `ServiceLost`.
    most_lost_batches: batches in a row without any reward before raising `ServiceLost`; 0 means never.
    check_service: whether to check that the service answers when the reward function is built.
    """

    on_outage: OnOutage = "wait"
    patience_s: float = 600.0
    most_lost_batches: int = 3
    check_service: bool = True

    @classmethod
    def split_options(cls, options: Mapping[str, Any]) -> tuple[OutagePolicy, dict[str, Any]]:
        """Split `options` into the outage policy and the other options. Raises BadRequest."""
        own = {name: options[name] for name in cls.__slots__ if name in options}
        policy = cls(**own)
        if policy.on_outage not in get_args(OnOutage):
            raise BadRequest(f"on_outage is {policy.on_outage!r}; it must be one of {get_args(OnOutage)}", "on_outage")
        if policy.patience_s < 0 or policy.most_lost_batches < 0:
            raise BadRequest("patience_s and most_lost_batches must not be negative", "patience_s")
        return policy, {name: value for name, value in options.items() if name not in own}

    def start_wait(self, url: str, clock: Callable[[], float] = time.monotonic) -> BatchWait:
        return BatchWait(self, url, clock)


class OutageTracker:
    """Tracks the outages of one reward function; `url` is for messages."""

    def __init__(self, policy: OutagePolicy, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.policy = policy
        self._url = url
        self._clock = clock
        self._lost_batches = 0

    def start_batch(self) -> BatchWait:
        return self.policy.start_wait(self._url, self._clock)

    def record_rewards(self, rewards: Sequence[float | None]) -> None:
        """Record the rewards of a batch. Raises ServiceLost after too many batches without any."""
        self._lost_batches = (
            0 if not rewards or any(reward is not None for reward in rewards) else self._lost_batches + 1
        )
        if self.policy.most_lost_batches and self._lost_batches >= self.policy.most_lost_batches:
            raise ServiceLost(
                f"{self._lost_batches} batches in a row got no reward from the service at {self._url}; see "
                f"{self._url}/health/ready and the warnings above. Set `most_lost_batches` to tolerate more"
            )


class BatchWait:
    """The wait of one batch for the service."""

    def __init__(self, policy: OutagePolicy, url: str, clock: Callable[[], float]) -> None:
        self._policy, self._url, self._clock = policy, url, clock
        self._silent_since: float | None = None
        self._reminded_at = float("-inf")
        self._pause_s = FIRST_PAUSE_S

    def record_answer(self) -> None:
        if self._silent_since is not None:
            logger.warning(
                "the service at %s answers again after %.0f s", self._url, self._clock() - self._silent_since
            )
        self._silent_since, self._pause_s = None, FIRST_PAUSE_S

    def compute_pause_s(self, error: Exception) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up the batch. Raises ServiceLost."""
        if self._policy.on_outage == "none":
            return None
        now = self._clock()
        self._silent_since = now if self._silent_since is None else self._silent_since
        left = self._policy.patience_s - (now - self._silent_since)
        if left <= 0:
            raise ServiceLost(
                f"the service at {self._url} gave no verdicts for {self._policy.patience_s:.0f} s: {error}. Set "
                "`patience_s` to wait longer"
            ) from error
        if now - self._reminded_at >= REMINDER_INTERVAL_S:
            self._reminded_at = now
            logger.warning("the service at %s does not answer, waiting up to %.0f s more: %s", self._url, left, error)
        pause, self._pause_s = self._pause_s, min(2 * self._pause_s, MAX_PAUSE_S)
        return min(random.uniform(pause / 2, pause), left)


def probe_service(url: str) -> None:
    """Raise InfrastructureError, with the URL in the message, if no service answers there."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}/health/live", timeout=PROBE_TIMEOUT_S)
        problem = "" if answer.status_code == 200 else f"it answered with status {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        problem = str(error) or type(error).__name__
    if problem:
        raise InfrastructureError(
            f"no sandbox service answers at {url}: {problem}. Start one with `sandbox up`, set its URL, or pass "
            "check_service=False to contact it only at the first batch"
        )
