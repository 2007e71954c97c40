"""Transient failures of an OpenAI-compatible server: which status codes they are, and how long to wait."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
MAX_BACKOFF_S = 30.0
# A longer Retry-After is shortened to this, because a job has limited patience.
MAX_RETRY_AFTER_S = 120.0


def compute_pause_s(attempt: int, first_s: float, retry_after: str = "") -> float:
    """Return the seconds to wait after failed attempt `attempt` (from 0): Retry-After plus an exponential back-off.

    The back-off is random, so that clients that were rejected together do not return together.
    """
    back_off = min(MAX_BACKOFF_S, first_s * 2**attempt)
    return parse_retry_after_s(retry_after) + random.uniform(back_off / 2, back_off)


def parse_retry_after_s(header: str) -> float:
    """Return the seconds in a Retry-After header, a number or a date (RFC 9110); 0 if it is empty or invalid."""
    try:
        seconds = float(header) if header[:1].isdecimal() else _compute_seconds_until(header)
    except ValueError:
        return 0.0
    return min(MAX_RETRY_AFTER_S, max(0.0, seconds))


def _compute_seconds_until(date: str) -> float:
    """Return the seconds until a date. Raises ValueError."""
    when = parsedate_to_datetime(date)
    return (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
