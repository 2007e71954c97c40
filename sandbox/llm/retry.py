"""Failures of an OpenAI-compatible service that pass: which they are, and how long to wait until it is asked again."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
MAX_BACKOFF_S = 30.0
# What asks for more than that is asked sooner: a job has a bound on its patience.
MAX_RETRY_AFTER_S = 120.0


def compute_pause_s(attempt: int, first_s: float, response: httpx.Response | None = None) -> float:
    """Seconds to wait behind failed attempt number `attempt`, the first being 0, and not less than `retry_after_s`.

    Above it they grow exponentially and are spread, or all that were refused come back in the same instant.
    """
    back_off = min(MAX_BACKOFF_S, first_s * 2**attempt)
    return read_retry_after_s(response) + random.uniform(back_off / 2, back_off)


def read_retry_after_s(response: httpx.Response | None) -> float:
    """What the header says, in seconds or as a date (RFC 9110); 0 where it says nothing that can be read."""
    header = "" if response is None else response.headers.get("retry-after", "")
    try:
        seconds = float(header) if header[:1].isdecimal() else _compute_seconds_until(header)
    except ValueError:
        return 0.0
    return min(MAX_RETRY_AFTER_S, max(0.0, seconds))


def _compute_seconds_until(date: str) -> float:
    """Raises ValueError."""
    when = parsedate_to_datetime(date)
    return (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
