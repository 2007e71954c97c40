"""The same batch gets the same verdicts, whatever else the machine is doing.

The programs are the self-tests of five languages, one for each verdict, and programs that are near a limit: they use up
to 0.6 of it, or at least 1.6 times as much. Closer to a limit no judge gives reproducible verdicts, because the work
itself varies by milliseconds. The service must pass with 1,000 items:

    SANDBOX_DETERMINISM_ITEMS=1000 pytest tests/e2e/test_determinism.py
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

import pytest

from sandbox.client import Client
from sandbox.runner.contract import Verdict
from tests.child_processes import overload_cpus
from tests.languages import self_tests

ITEMS = int(os.environ.get("SANDBOX_DETERMINISM_ITEMS", "30"))
OVERLOAD = 4
CPU_TIME_S, WALL_TIME_S, MEMORY_MB, OUTPUT_KB = 0.5, 1.5, 128, 256
TESTS = [{"stdin": self_tests.STDIN.decode(), "expected": self_tests.EXPECTED.decode()}]
LIMITS = {"cpu_time_s": CPU_TIME_S, "wall_time_s": WALL_TIME_S, "memory_mb": MEMORY_MB, "output_kb": OUTPUT_KB}
# Some runtimes need half of tighter limits just to start, which alone would put them near a limit.
ROOMY = {"cpu_time_s": 1.0, "wall_time_s": 20.0, "memory_mb": 512, "output_kb": OUTPUT_KB}
ENDLESS = {**ROOMY, "cpu_time_s": CPU_TIME_S}  # for programs that no limit is long enough for
FILLING = {"cpu_time_s": 60.0, "wall_time_s": 300.0, "memory_mb": 256, "output_kb": OUTPUT_KB}
OWN_LIMITS = {Verdict.MEMORY_LIMIT_EXCEEDED: FILLING, Verdict.TIME_LIMIT_EXCEEDED: ENDLESS}
TEDIOUS = ("bash", Verdict.MEMORY_LIMIT_EXCEEDED)  # takes half a minute to fill its memory

BURN = "import time\nwhile time.process_time() < {}: pass\nprint(42)"
IN_THREADS = """
import threading, time
def burn():
    while time.process_time() < {}: pass
threads = [threading.Thread(target=burn) for _ in range(3)]
for one in threads: one.start()
for one in threads: one.join()
print(42)
"""
IN_CHILDREN = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        while time.process_time() < {}: pass
        os._exit(0)
for _ in range(3): os.wait()
print(42)
"""
SLEEP = "import time\ntime.sleep({})\nprint(42)"
GROW = "block = b'x' * ({} << 20)\nprint(42)"
WRITE = "print(' ' * {}, 42)"
# By the verdict that each must get.
NEAR_LIMIT = {
    "accepted": [
        BURN.format(0.6 * CPU_TIME_S),
        IN_THREADS.format(0.6 * CPU_TIME_S),
        IN_CHILDREN.format(0.2 * CPU_TIME_S),
        SLEEP.format(0.6 * WALL_TIME_S),
        GROW.format(int(0.6 * MEMORY_MB)),
        WRITE.format(int(0.9 * OUTPUT_KB * 1024)),
        "import threading\nthreading.Timer(0.05, print, [42]).start()",
        "import os\nif os.fork() == 0:\n    print(42, flush=True)\n    os._exit(0)\nos.wait()",
        "import signal, time\nsignal.signal(signal.SIGALRM, lambda *_: print(42))\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.05)\ntime.sleep(0.2)",
        "print(42 if sum(map(hash, {str(n) for n in range(99)})) % 7 >= 0 else 0)",
    ],
    "time_limit_exceeded": [
        BURN.format(1.6 * CPU_TIME_S),
        IN_THREADS.format(1.6 * CPU_TIME_S),
        IN_CHILDREN.format(0.6 * CPU_TIME_S),
        SLEEP.format(1.6 * WALL_TIME_S),
    ],
    "memory_limit_exceeded": [GROW.format(int(1.6 * MEMORY_MB))],
    "output_limit_exceeded": [WRITE.format(int(1.1 * OUTPUT_KB * 1024))],
    "runtime_error": ["import os\nprint(42, flush=True)\nos.kill(os.getpid(), 9)", "print(42)\n1 / 0"],
}


def build_batch() -> list[tuple[dict[str, Any], str]]:
    """Build submissions in a seeded order, each with the verdict it must get."""
    programs = [
        ({"language": "python", "code": code, "tests": TESTS, "limits": LIMITS}, verdict)
        for verdict, codes in NEAR_LIMIT.items()
        for code in codes
    ]
    for language in ("python", "bash", "c", "cpp17", "javascript"):
        for verdict in sorted(self_tests.list_verdicts(language)):
            if (language, verdict) == TEDIOUS:
                continue
            code = self_tests.read_source(language, verdict).decode()
            limits = OWN_LIMITS.get(verdict, ROOMY)
            programs.append(({"language": language, "code": code, "tests": TESTS, "limits": limits}, verdict.value))
    draw = random.Random(ITEMS)
    draw.shuffle(programs)
    return [programs[number % len(programs)] for number in range(ITEMS)]


@pytest.mark.slow
@pytest.mark.timeout(600 + 6 * ITEMS)
def test_a_batch_gets_the_same_verdicts_again_and_under_four_times_the_load(client: Client) -> None:
    items = build_batch()
    requests = [request for request, _ in items]
    runs = {"first": client.verify_batch(requests), "again": client.verify_batch(requests)}
    with overload_cpus(OVERLOAD):
        runs["overloaded"] = client.verify_batch(requests)
    wrong = [
        f"{name}: {result.verdict.value}, not {verdict}: {result.tests[0]}\n{request['code'][:300]}"
        for name, results in runs.items()
        for (request, verdict), result in zip(items, results, strict=True)
        if result.verdict.value != verdict
    ]
    assert not wrong, f"{len(wrong)} of {len(runs) * len(items)} verdicts differ\n" + "\n".join(wrong)
    assert len(Counter(verdict for _, verdict in items)) == 7, "every verdict of a program is among them"
