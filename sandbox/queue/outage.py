"""Detect that no worker can run programs, so that clients get an error at once instead of waiting for minutes.

A worker reports with its heartbeat when its slot needs a box and cannot start one. An outage begins when every live
worker has waited for longer than `OUTAGE_AFTER_S` and can run nothing else, or when no worker has been alive for that
long. During an outage, synchronous submissions are refused, and those that already wait fail. Stored submissions stay
in the queue.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import SandboxError
from sandbox.queue import job_batch, leases, redis_keys
from sandbox.queue.connection import get_failure_log_level
from sandbox.queue.storage_limits import StorageLimiter
from sandbox.schema.health import Readiness

logger = logging.getLogger(__name__)

OUTAGE_AFTER_S = 30.0
CHECK_INTERVAL_S = 1.0
OUTAGE_CHECK_INTERVAL_S = 0.1  # so that clients are served as soon as the service is ready
MAX_LISTED_WORKERS = 10


@dataclass(frozen=True, slots=True)
class SlotReport:
    """The last heartbeat of one worker. `box_wait_s` is 0 if the worker has every box it needs."""

    name: str
    description: dict[str, Any]
    is_starting: bool
    box_wait_s: float

    @property
    def waits_too_long(self) -> bool:
        return self.box_wait_s > OUTAGE_AFTER_S

    @property
    def serves(self) -> bool:
        """True if the worker takes programs: no box is missing, it has not waited long, or it can use other boxes."""
        return not self.is_starting and (not self.waits_too_long or bool(self.description["waiting"].get("serves")))

    @property
    def starts_boxes(self) -> bool:
        """True if the worker's engine seems to work. A single missing image is not a failure of the engine."""
        return self.serves and (not self.waits_too_long or bool(self.description["waiting"].get("only_image")))

    def describe_problem(self) -> str:
        wait = self.description["waiting"]
        since = datetime.fromtimestamp(wait["since"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        why = wait.get("why") or "its engine has not started one yet"
        return f"{self.name} has been waiting for a box ({wait['image']}) since {since}, {self.box_wait_s:.0f} s: {why}"


def read_slot_reports(redis: Redis, lease_s: float) -> list[SlotReport]:
    """Return the reports of all live workers that are not reserved, and of those that are starting.

    Raises RedisError.
    """
    now = time.time()
    alive, starting = leases.list_slots(redis, lease_s)
    names = [*alive, *(name for name in starting if name not in alive)]
    texts = redis.mget([redis_keys.worker(name) for name in names]) if names else []
    reports = []
    for position, (name, text) in enumerate(zip(names, texts, strict=True)):
        description = json.loads(text) if text else {}
        wait = description.get("waiting")
        box_wait_s = max(0.0, now - wait["since"]) if wait else 0.0
        reports.append(SlotReport(name, description, position >= len(alive), box_wait_s))
    return reports


def list_problems(reports: Sequence[SlotReport]) -> list[str]:
    """Return messages that say why workers cannot run programs, for at most `MAX_LISTED_WORKERS` workers."""
    if not reports:
        return ["no worker is alive"]
    found = [] if any(not report.is_starting for report in reports) else ["no worker is ready yet"]
    waiting = [
        report
        for report in reports
        if report.waits_too_long or (report.is_starting and report.description.get("waiting"))
    ]
    found += [report.describe_problem() for report in waiting[:MAX_LISTED_WORKERS]]
    if len(waiting) > MAX_LISTED_WORKERS:
        found.append(f"{len(waiting) - MAX_LISTED_WORKERS} more workers are waiting for a box")
    return found


def find_missing_languages(reports: Sequence[SlotReport]) -> frozenset[str]:
    """Return the languages that every serving worker reports as missing."""
    lacking = [frozenset(report.description.get("missing_languages", ())) for report in reports if report.serves]
    return frozenset.intersection(*lacking) if lacking else frozenset()


def _can_build_environments(reports: Sequence[SlotReport]) -> bool:
    """Return whether a serving worker has an engine with images, or whether that is not known."""
    serving = [report for report in reports if report.serves]
    return not serving or any(report.description.get("engine") != "local" for report in serving)


def build_readiness(
    reports: Sequence[SlotReport],
    queued: dict[str, int],
    oldest_s: dict[str, float],
    storage_limiter: StorageLimiter,
    session_hosts: int,
) -> Readiness:
    """Return whether the service can run new submissions and, if not, why. `queued` and `oldest_s` are by lane."""
    alive = [report for report in reports if not report.is_starting]
    workers = [report.description for report in alive if report.description]
    older = sum(worker.get("reads", 1) < job_batch.FORMAT_VERSION for worker in workers)
    version_problems = [
        f"{older} of {len(alive)} workers run an older version and cannot read batches of this version: upgrade them"
    ]
    return Readiness(
        ready=any(report.starts_boxes for report in alive) and older < len(alive) and storage_limiter.has_room,
        workers=len(alive),
        queued=queued,
        engine=",".join(sorted({worker["engine"] for worker in workers})),
        missing_walls=sorted({layer for worker in workers for layer in worker["missing_walls"]}),
        problems=[
            *list_problems(reports),
            *(version_problems if older else []),
            *storage_limiter.list_problems(),
        ],
        oldest_s=oldest_s,
        waiting_for_box_s=round(max((report.box_wait_s for report in reports), default=0.0), 3),
        storage_bytes=storage_limiter.describe_usage(),
        session_hosts=session_hosts,
        append_only=storage_limiter.append_only,
    )


class OutageMonitor:
    """Checks the workers every second, and every 0.1 s during an outage.

    During an outage, each check calls `on_outage`, which may raise RedisError or SandboxError.
    """

    def __init__(self, redis: Redis, lease_s: float, on_outage: Callable[[str], None]) -> None:
        self._redis = redis
        self._lease_s = lease_s
        self._on_outage = on_outage
        self._unserved_since = 0.0
        self._stop_requested = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outage", daemon=True)
        self.reason = ""  # why no program can run; empty if programs can run
        self.missing_languages: frozenset[str] = frozenset()  # those that no worker could run at the last check
        self.lacks_environments = False  # whether no worker could build environments at the last check

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop_requested.set()
        self._thread.join(timeout=2 * CHECK_INTERVAL_S)

    def _run(self) -> None:
        while not self._stop_requested.wait(OUTAGE_CHECK_INTERVAL_S if self.reason else CHECK_INTERVAL_S):
            try:
                reports = read_slot_reports(self._redis, self._lease_s)
                self._update_outage(reports)
                self.missing_languages = find_missing_languages(reports)
                self.lacks_environments = not _can_build_environments(reports)
                if self.reason:
                    self._on_outage(self.reason)
            except (RedisError, SandboxError) as error:  # keep the thread alive: only it can end the outage
                logger.log(get_failure_log_level(), "cannot check whether workers can run programs: %s", error)

    def _update_outage(self, reports: Sequence[SlotReport]) -> None:
        if any(report.serves for report in reports):
            if self.reason:
                logger.info("programs can run again")
            self._unserved_since, self.reason = 0.0, ""
            return
        now = time.monotonic()
        self._unserved_since = self._unserved_since or now
        # Live workers have each waited long enough already. If there are none, a worker may just be starting.
        if any(not report.is_starting for report in reports) or now - self._unserved_since > OUTAGE_AFTER_S:
            reason = "; ".join(list_problems(reports))
            if not self.reason:
                logger.error("no programs can run: %s", reason)
            self.reason = reason
