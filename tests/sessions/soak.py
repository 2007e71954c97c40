"""Mixed sessions and verdicts for a long time: nothing may be lost, and nothing may grow.

`python -m tests.sessions.soak --minutes 30 --out soak.json` prints a row for each sample and writes the outcome as
JSON. The exit code is 1 if anything was lost, wrong or left, or has grown.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.client import Client
from sandbox.client.sync_session import Session
from sandbox.errors import SandboxError, SessionEnded
from sandbox.queue import redis_keys
from tests.chaos.capacity import read_resident_mb
from tests.chaos.deployment import Deployment, find_descendants, run_deployment
from tests.chaos.load import Load
from tests.chaos.soak import HEADER, SAMPLES, Sample, find_growth

logger = logging.getLogger(__name__)

SESSION_CLIENTS = 3
VERDICT_CLIENTS = 2
PLACES = 8
SPARES = 2
NEVER_EXPIRES = -1
KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


class Mixture:
    """Sessions of one client after another. `wrong` lists answers that are not as expected."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.stopped = threading.Event()

    def run(self, url: str, seed: int) -> None:
        choice = random.Random(seed)
        with Client(url) as client:
            while not self.stopped.is_set():
                try:
                    with client.session(wait_s=30) as session:
                        self._use(session, choice)
                        self.done["sessions"] += 1
                except SandboxError as error:
                    self.wrong.append(repr(error))

    def _use(self, session: Session, choice: random.Random) -> None:
        number = choice.randrange(10**6)
        self._check(session, f"x = {number}\nx", number)
        session.put_file("f", str(number).encode())
        self._check(session, "int(open('f').read())", number)
        with session.fork()[0] as fork:
            self._check(fork, "x += 1; x", None)
            self._check(fork, "x", number + 1)
            if choice.random() < 0.3:
                self._kill(fork)
        self._check(session, "x", number)

    def _check(self, session: Session, code: str, expected: int | None) -> None:
        answer = session.execute(code)
        self.done["calls"] += 1
        found = None if answer.result is None else int(answer.result["text/plain"])
        if expected is not None and found != expected:
            self.wrong.append(f"{code!r}: {answer!r}")

    def _kill(self, fork: Session) -> None:
        answer = fork.execute(KILL)
        if answer.state != "lost" or not answer.reason:
            self.wrong.append(f"a killed fork: {answer!r}")
        try:
            fork.execute("x")
            self.wrong.append("a killed fork answers")
        except SessionEnded:
            self.done["kills"] += 1


@contextmanager
def run_mixture(url: str) -> Iterator[Mixture]:
    """Run the clients of sessions in the `with` block."""
    mixture = Mixture()
    threads = [threading.Thread(target=mixture.run, args=(url, seed)) for seed in range(SESSION_CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield mixture
    finally:
        mixture.stopped.set()
        for thread in threads:
            thread.join()


def soak(minutes: float) -> dict[str, Any]:
    """Run sessions and verdicts; print a row for each sample; return the outcome. Its `failures` must be empty."""
    samples: list[Sample] = []
    logger.info(HEADER)
    with run_deployment(sessions=str(PLACES), session_spares=str(SPARES), queue_ttl_s="40", result_ttl_s="20") as tree:
        began = time.monotonic()
        with run_mixture(tree.url) as mixture, Load(tree.url, VERDICT_CLIENTS, pause_s=0.05) as load:
            for number in range(1, SAMPLES + 1):
                time.sleep(max(0.0, began + minutes * 60 * number / SAMPLES - time.monotonic()))
                done = mixture.done["sessions"] + sum(load.tally.statuses.values())
                samples.append(_take_sample(tree, done, time.monotonic() - began))
                logger.info(samples[-1].format_row())
        with tree.connect_redis() as redis:
            open_now = redis.zcard(redis_keys.SESSIONS)
        left = [f"left: {each}" for each in tree.stop()]
    if open_now:
        left.append(f"{open_now} sessions are open after the last was closed")
    lost = [f"verdict: {each}" for each in (*load.tally.lost, *load.tally.wrong)]
    return {
        "minutes": minutes,
        "sessions": dict(mixture.done),
        "verdicts": dict(load.tally.statuses),
        "samples": [asdict(sample) for sample in samples],
        "failures": [*mixture.wrong, *lost, *find_growth(samples), *left],
    }


def _take_sample(tree: Deployment, done: int, seconds: float) -> Sample:
    """Return the resources of all processes. The records of ended sessions expire, so they are not counted."""
    roots = [tree.api_pid, tree.redis_pid, *tree.worker_pids, *tree.find_pids("session-host")]
    with tree.connect_redis() as redis:
        keys = list(redis.scan_iter(count=1_000))
        pipeline = redis.pipeline(transaction=False)
        for key in keys:
            pipeline.ttl(key)
        lasting = pipeline.execute().count(NEVER_EXPIRES)
    memory = descriptors = 0.0
    for pid in roots:
        if pid == tree.redis_pid:  # it holds the records of ended sessions
            continue
        with suppress(OSError):
            memory += read_resident_mb(pid)
            descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    processes = sum(len(find_descendants(pid)) + 1 for pid in roots)
    return Sample(seconds, done, memory, descriptors, len(tree.list_boxes()), processes, lasting, 0.0)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--out", type=Path, help="file for the outcome as JSON")
    options = parser.parse_args()
    outcome = soak(options.minutes)
    if options.out:
        options.out.write_text(json.dumps(outcome, indent=1) + "\n", encoding="utf-8")
    logger.info("%s", "\n".join(map(str, (outcome["sessions"], outcome["verdicts"], *outcome["failures"]))))
    return int(bool(outcome["failures"]))


if __name__ == "__main__":
    raise SystemExit(main())
