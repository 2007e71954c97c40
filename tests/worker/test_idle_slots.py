"""Real workers that run tests of each other's programs: the results stay the same, whatever happens to a worker."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

from redis import Redis

from sandbox.box.docker.leftovers import remove_boxes
from sandbox.config import QueueSettings
from sandbox.queue import redis_keys
from sandbox.queue.submission import Submission, Ticket
from sandbox.schema import VerifyRequest, VerifyResult
from sandbox.service import Service
from tests.queue.sample_programs import build_printing_programs
from tests.queue.submit_and_wait import await_outputs, submit, wait_until
from tests.running_service import run_service_with_workers
from tests.worker_processes import Worker, WorkerProcesses

CORPUS = Path(__file__).parent.parent / "corpus"
PROBLEMS = ("knapsack",)
TIMEOUT_S = 60.0
# Makes workers offer tests of every program immediately, which they otherwise do only for slow ones.
EAGER = (
    "from sandbox.worker import spread, worker; spread.OFFER_AFTER_S = spread.MIN_GAIN_S = 0.0; "
    "worker.REQUEUE_CHECK_INTERVAL_S = spread.CHUNK_S = 0.002; "
)
SLEEPER = "import time\nn = int(input())\ntime.sleep(n / 10)\nprint(n)"
SLEEPS = [4, 1, 3, 2, 3, 2, 1, 3]


def build_sleeper(**options: Any) -> VerifyRequest:
    """Build a program that passes all tests but the third."""
    tests = [
        {"stdin": f"{tenths}\n", "expected": "0" if place == 2 else f"{tenths}"} for place, tenths in enumerate(SLEEPS)
    ]
    return VerifyRequest.model_validate({"language": "python", "code": SLEEPER, "tests": tests, **options})


def submit_verify(service: Service, *requests: VerifyRequest, **options: Any) -> Ticket:
    return service.submit(Submission("verify", list(requests), batch=True, **options))


def await_verdicts(ticket: Ticket) -> list[tuple[Any, ...]]:
    """Return what does not depend on time of each result."""
    deadline = time.monotonic() + TIMEOUT_S
    results = [
        VerifyResult.model_validate_json(future.result(max(0.01, deadline - time.monotonic())))
        for future in ticket.results
    ]
    return [
        (
            one.verdict,
            one.passed,
            one.total,
            one.score,
            [(test.verdict, test.message, test.exit_code) for test in one.tests],
        )
        for one in results
    ]


def expect_sleeper(skipped_after: int = len(SLEEPS)) -> tuple[Any, ...]:
    verdicts = ["wrong_answer" if place == 2 else "accepted" for place in range(skipped_after)]
    verdicts += ["skipped"] * (len(SLEEPS) - skipped_after)
    passed = verdicts.count("accepted")
    return "wrong_answer", passed, len(SLEEPS), passed / len(SLEEPS), verdicts


def summarize(found: tuple[Any, ...]) -> tuple[Any, ...]:
    return *found[:4], [verdict for verdict, _, _ in found[4]]


def count_helped_tests(settings: QueueSettings) -> int:
    lines = (settings.home / "workers.log").read_text().splitlines()
    return sum(json.loads(line)["tests"] for line in lines if '"ran tests for another worker"' in line)


def start_workers(processes: WorkerProcesses, count: int) -> list[Worker]:
    processes.prelude = "from sandbox.telemetry.logs import start_logging; start_logging(); "
    return processes.start(count)


def find_helper(redis: Redis, workers: list[Worker]) -> tuple[Worker, Worker]:
    """Wait until a worker holds a test of another one's program; return the helper and the owner."""
    found: list[tuple[Worker, Worker]] = []

    def look() -> bool:
        owners = {value.decode() for value in redis.hvals(redis_keys.CLAIMS)}
        for key in redis.keys(redis_keys.offer("?" * 32)):
            takers = {value.decode() for name, value in redis.hgetall(key).items() if name.isdigit()}
            helping = [worker for worker in workers if any(f"-{worker.pid}-" in name for name in takers - owners)]
            owning = [worker for worker in workers if any(f"-{worker.pid}-" in name for name in owners)]
            found.extend((helper, owner) for helper in helping for owner in owning)
        return bool(found)

    wait_until(look, "a worker helps another one")
    return found[0]


def test_an_idle_worker_runs_tests_of_a_slow_program_and_leaves_for_a_new_one(
    service: Service, worker_processes: WorkerProcesses, settings: QueueSettings, redis: Redis
) -> None:
    workers = start_workers(worker_processes, 2)
    slow = submit_verify(service, build_sleeper())
    find_helper(redis, workers)
    quick = submit(service, build_printing_programs(range(3)), batch=True)
    assert await_outputs(quick) == ["0", "1", "2"]
    assert not slow.results[0].done()
    (found,) = await_verdicts(slow)
    assert summarize(found) == expect_sleeper()
    stopping = submit_verify(service, build_sleeper(stop_on_failure=True))
    find_helper(redis, workers)
    assert summarize(*await_verdicts(stopping)) == expect_sleeper(skipped_after=3)
    wait_until(lambda: not redis.keys(redis_keys.offer("*")), "no offer is left")
    wait_until(lambda: redis.llen(redis_keys.RECENT_RESULTS) == 5, "each item is reported once")
    assert count_helped_tests(settings) > 0


def lose_a_helper(service: Service, redis: Redis, workers: list[Worker]) -> None:
    """Suspend a helper, and then kill one, which is removed from `workers`."""
    suspended = submit_verify(service, build_sleeper())
    helper, _ = find_helper(redis, workers)
    helper.send_signal(signal.SIGSTOP)
    try:
        assert summarize(*await_verdicts(suspended)) == expect_sleeper()
    finally:
        helper.send_signal(signal.SIGCONT)
    killed = submit_verify(service, build_sleeper())
    helper, _ = find_helper(redis, workers)
    helper.kill()
    assert summarize(*await_verdicts(killed)) == expect_sleeper()
    workers.remove(helper)


def lose_the_owner(service: Service, redis: Redis, workers: list[Worker]) -> None:
    kept = submit_verify(service, build_sleeper(), durable=True)
    _, owner = find_helper(redis, workers)
    owner.kill()
    wait_until(lambda: redis.hlen(redis_keys.results(kept.id)) == 1, "the item has its result")
    result = VerifyResult.model_validate_json(redis.hvals(redis_keys.results(kept.id))[0])
    assert (result.verdict, [test.verdict for test in result.tests]) == (expect_sleeper()[0], expect_sleeper()[4])
    assert -1 not in map(redis.ttl, redis.keys(redis_keys.offer("*"))), "an offer of a dead worker never expires"


def test_a_suspended_or_killed_helper_and_a_killed_owner_cost_no_test_and_no_second_result(
    images: dict[str, str], service: Service, settings: QueueSettings, redis: Redis
) -> None:
    assert images
    with WorkerProcesses(settings, SANDBOX_LEASE_S="2") as worker_processes:
        workers = start_workers(worker_processes, 3)
        lose_a_helper(service, redis, workers)
        lose_the_owner(service, redis, workers)
    remove_boxes(settings.home)


def test_programs_of_the_corpus_have_the_same_results_on_one_slot_and_on_several(
    images: dict[str, str], settings: QueueSettings
) -> None:
    assert images
    requests = [
        VerifyRequest.model_validate(
            {
                "language": "python",
                "code": program.read_text(),
                "tests": [test for test in problem["tests"] if "generator" not in test],
                "checker": problem["checker"],
                "limits": problem["limits"] | {"cpu_time_s": 0.5},
                "stop_after_timeouts": 2,
            }
        )
        for name in PROBLEMS
        for problem in [json.loads((CORPUS / name / "problem.json").read_text())]
        for program in sorted((CORPUS / name).glob("python_*.py"))
    ]
    with run_service_with_workers(settings, 1, SANDBOX_SPREAD_TESTS="false") as service:
        expected = await_verdicts(submit_verify(service, *requests))
    with WorkerProcesses(settings) as eager, run_service_with_workers(settings, 0) as service:
        eager.prelude = "from sandbox.telemetry.logs import start_logging; start_logging(); " + EAGER
        eager.start(3)
        for request, one in zip(requests, expected, strict=True):
            assert await_verdicts(submit_verify(service, request)) == [one]
    assert count_helped_tests(settings) > len(requests)
