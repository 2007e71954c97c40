"""Ten times the sustainable load: the service stays live, rejects early, and keeps the latency of accepted requests."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.chaos.deployment import Deployment

PROGRAM = {"language": "python", "code": "import time; time.sleep(0.05); print(1)"}
OFFERED_FACTOR = 10


@dataclass
class OverloadResult:
    """Responses by status, the seconds that accepted ones took, and the Retry-After of rejected ones."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    retry_after: set[str] = field(default_factory=set)
    refusal_times_s: list[float] = field(default_factory=list)
    liveness_times_s: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    @property
    def p95_s(self) -> float:
        return statistics.quantiles(self.latencies_s, n=20)[-1]


def run_overload(deployment: Deployment, clients: int, seconds: float) -> OverloadResult:
    """Run closed-loop clients that retry at once, even after a rejection, and monitor the API's health and memory."""
    result = OverloadResult()
    lock = threading.Lock()
    ends_at = time.monotonic() + seconds

    def ask() -> None:
        with httpx.Client(base_url=deployment.url, timeout=60.0, trust_env=False) as client:
            while time.monotonic() < ends_at:
                began = time.monotonic()
                answer = client.post("/execute", json=PROGRAM)
                took = time.monotonic() - began
                with lock:
                    result.statuses[answer.status_code] += 1
                    if answer.status_code == 200:
                        result.latencies_s.append(took)
                    else:
                        result.retry_after.add(answer.headers.get("retry-after", ""))
                        result.refusal_times_s.append(took)
                if answer.status_code != 200:
                    time.sleep(0.2)

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    with httpx.Client(base_url=deployment.url, timeout=30.0, trust_env=False) as client:
        while time.monotonic() < ends_at:
            began = time.monotonic()
            assert client.get("/health/live").status_code == 200
            result.liveness_times_s.append(time.monotonic() - began)
            result.memory_mb.append(read_resident_mb(deployment.api_pid))
            time.sleep(0.2)
    for thread in threads:
        thread.join()
    return result


def read_resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4_096 / (1 << 20)
