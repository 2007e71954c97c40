"""Mixed sessions for a long time. `python -m tests.sessions.soak --minutes N` fails if anything is lost or grows."""

from __future__ import annotations

import argparse
import logging
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import docker

from sandbox.api.app import create_app
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.client import Client
from sandbox.client.sync_session import Session
from sandbox.config import ApiSettings
from sandbox.errors import SandboxError, SessionEnded
from sandbox.queue import redis_keys
from sandbox.queue.connection import connect
from tests.api.threaded_server import serve_in_thread
from tests.chaos.capacity import read_resident_mb
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import SessionHosts

logger = logging.getLogger(__name__)

CLIENTS = 3
PLACES = 8
SAMPLES = 12
MAX_HOST_GROWTH_MB = 12.0
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


def soak(minutes: float) -> list[str]:
    """Run the mixture; print samples; return what was wrong or grew."""
    mixture, grown = Mixture(), []
    with tempfile.TemporaryDirectory(prefix="sandbox-tests-") as folder:
        redis_server = RedisServer(Path(folder))
        redis_server.start()
        settings = ApiSettings(home=Path(folder), redis_url=redis_server.build_url())
        redis, engine = connect(settings.effective_redis_url), docker.from_env()
        label = {"label": f"{HOME_LABEL}={settings.home}"}
        host_mb: list[float] = []
        with SessionHosts(settings) as hosts, serve_in_thread(create_app(settings)) as url:
            host = hosts.start(PLACES)
            threads = [threading.Thread(target=mixture.run, args=(url, seed)) for seed in range(CLIENTS)]
            for thread in threads:
                thread.start()
            for _ in range(SAMPLES):
                time.sleep(minutes * 60 / SAMPLES)
                host_mb.append(read_resident_mb(host.pid))
                boxes = len(engine.containers.list(filters=label, ignore_removed=True))
                logger.info(
                    "%s %s", dict(mixture.done), f"host {host_mb[-1]:.1f} MiB, {boxes} boxes, {redis.dbsize()} keys"
                )
                if boxes > 2 * (PLACES + 1):
                    grown.append(f"{boxes} boxes")
            mixture.stopped.set()
            for thread in threads:
                thread.join()
            if open_now := redis.zcard(redis_keys.SESSIONS):
                grown.append(f"{open_now} sessions are open after the last was closed")
        if left := engine.containers.list(all=True, filters=label, ignore_removed=True):
            grown.append(f"{len(left)} boxes are left")
        redis.close()
        redis_server.close()
    if host_mb[-1] > host_mb[SAMPLES // 3] + MAX_HOST_GROWTH_MB:
        grown.append(f"the host grew from {host_mb[SAMPLES // 3]:.1f} to {host_mb[-1]:.1f} MiB")
    return mixture.wrong + grown


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    failures = soak(parser.parse_args().minutes)
    raise SystemExit("\n".join(failures) if failures else 0)
