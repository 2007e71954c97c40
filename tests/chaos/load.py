"""A steady load of real submissions, each of which is tracked to its end."""

from __future__ import annotations

import bisect
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from sandbox.client import Client, Retries
from sandbox.errors import SandboxError
from sandbox.schema import JobStatus

CLIENTS = 6
PAUSE_S = 0.15
ANSWER_TIMEOUT_S = 90.0
# Retry for longer than any fault lasts, but often enough to measure the recovery time.
RETRIES = Retries(attempts=60, max_delay_s=0.5)
SLOW_EVERY = 10
SLOW_S = 0.4


@dataclass
class Tally:
    """The outcome of every submission. `wrong` describes results that differ from the program's output."""

    accepted: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    finished_at: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    refused: int = 0

    def compute_rate_after(self, moment: float, window_s: float = 1.0) -> float:
        """Return results per second in the window that begins at `moment` (monotonic clock)."""
        ended = sorted(self.finished_at)
        count = bisect.bisect(ended, moment + window_s) - bisect.bisect(ended, moment)
        return count / window_s

    def compute_recovery_s(self, healed_at: float, usual_rate: float) -> float | None:
        """Return the seconds from `healed_at` until a second with half of the usual rate; None if there is none."""
        for at in sorted(each for each in self.finished_at if each >= healed_at):
            if self.compute_rate_after(at - 0.001) >= usual_rate / 2:
                return at - healed_at
        return None


class Load:
    """Clients that submit and wait; every second one submits durable jobs. A context manager."""

    def __init__(self, url: str, clients: int = CLIENTS, pause_s: float = PAUSE_S, api_key: str = "") -> None:
        self.tally = Tally()
        self._url = url
        self._pause_s = pause_s
        self._api_key = api_key
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._number = 0
        self._threads = [threading.Thread(target=self._run, args=(index,), daemon=True) for index in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop submitting, and wait until all submissions have ended."""
        self._stop.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(2 * ANSWER_TIMEOUT_S)
                assert not thread.is_alive(), "a client still waits"

    def measure_rate(self, seconds: float) -> float:
        """Measure results per second over the next `seconds`."""
        began = time.monotonic()
        time.sleep(seconds)
        return self.tally.compute_rate_after(began, seconds)

    def _run(self, index: int) -> None:
        with Client(self._url, retries=RETRIES, timeout_s=ANSWER_TIMEOUT_S, api_key=self._api_key) as client:
            while not self._stop.is_set():
                with self._lock:
                    self._number += 1
                    number = self._number
                self._submit_one(client, number, durable=index % 2 == 1)
                time.sleep(self._pause_s * random.uniform(0.5, 1.5))

    def _submit_one(self, client: Client, number: int, durable: bool) -> None:
        nap = f"import time; time.sleep({SLOW_S}); " if number % SLOW_EVERY == 0 else ""
        request = {"language": "python", "code": f"{nap}print({number} * 7)"}
        began = time.monotonic()
        try:
            results = (
                self._execute_durable(client, request, number) if durable else [self._execute_awaited(client, request)]
            )
        except (SandboxError, TimeoutError) as error:
            with self._lock:
                self.tally.lost.append(f"{'kept' if durable else 'awaited'} {number}: {type(error).__name__}: {error}")
            return
        with self._lock:
            self.tally.finished_at.append(time.monotonic())
            self.tally.latencies_s.append(time.monotonic() - began)
            for status, stdout, message in results:
                self.tally.statuses[status] += 1
                if status == "ok" and stdout != f"{number * 7}\n":
                    self.tally.wrong.append(f"{number}: {stdout!r}")
                elif status != "ok":
                    self.tally.wrong.append(f"{number}: {status}: {message}")

    def _execute_awaited(self, client: Client, request: dict[str, str]) -> tuple[str, str, str]:
        result = client.execute(request)
        with self._lock:
            self.tally.accepted += 1
        return result.status, result.stdout, result.message

    def _execute_durable(self, client: Client, request: dict[str, str], number: int) -> list[tuple[str, str, str]]:
        job = client.submit("execute", [request] * 2, idempotency_key=f"{id(self)}-{number}")
        with self._lock:
            self.tally.accepted += 2
        job = client.wait(job.id, ANSWER_TIMEOUT_S)
        assert job.status is JobStatus.FINISHED, job.status
        assert job.result is not None
        return [(each["status"], each["stdout"], each["message"]) for each in job.result["results"]]
