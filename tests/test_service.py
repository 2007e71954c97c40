"""The service: what it accepts and refuses, and what its tickets guarantee. tests/queue covers the queue behind it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redis import Redis

from sandbox.config import QueueSettings
from sandbox.errors import NotFound, QueueFull, UnknownLanguage
from sandbox.queue.submission import Submission
from sandbox.runner.contract import Status, Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, JobStatus, TestCase, VerifyRequest, VerifyResult
from sandbox.service import Service
from tests.redis_server import RedisServer
from tests.running_service import run_service

DATABASE = 2
PROGRAM = ExecuteRequest(language="python", code="print(1)")


@pytest.fixture
def empty_redis(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.open_empty_database(DATABASE) as client:
        yield client


@pytest.fixture
def idle_service(empty_redis: Redis, redis_server: RedisServer, tmp_path: Path) -> Iterator[Service]:
    """A service without workers, whose lanes hold five items."""
    assert empty_redis.dbsize() == 0
    settings = QueueSettings(home=tmp_path, redis_url=redis_server.build_url(DATABASE), max_queued=5)
    with run_service(settings) as service:
        yield service


def _execute(service: Service, request: ExecuteRequest) -> ExecuteResult:
    (future,) = service.submit(Submission("execute", [request])).results
    return ExecuteResult.model_validate_json(future.result(60))


def test_a_ticket_has_a_future_for_each_item(live_service: Service) -> None:
    ticket = live_service.submit(Submission("execute", [PROGRAM] * 3, batch=True))
    results = [ExecuteResult.model_validate_json(future.result(60)) for future in ticket.results]
    assert [result.stdout for result in results] == ["1\n"] * 3
    assert [result.id for result in results] == [f"{ticket.id}.{index}" for index in range(3)]


def test_a_durable_ticket_has_no_futures_and_its_job_has_the_result(idle_service: Service) -> None:
    ticket = idle_service.submit(Submission("execute", [PROGRAM], durable=True))
    assert ticket.results == []
    assert idle_service.get_job(ticket.id).status is JobStatus.QUEUED


def test_a_synchronous_submission_is_not_a_job(idle_service: Service) -> None:
    ticket = idle_service.submit(Submission("execute", [PROGRAM]))
    with pytest.raises(NotFound):
        idle_service.get_job(ticket.id)


def test_a_smaller_submission_is_accepted_after_a_refused_one(idle_service: Service) -> None:
    with pytest.raises(QueueFull, match="default"):
        idle_service.submit(Submission("execute", [PROGRAM] * 6, batch=True))
    assert idle_service.submit(Submission("execute", [PROGRAM] * 5, batch=True)).id
    with pytest.raises(QueueFull):
        idle_service.submit(Submission("execute", [PROGRAM]))


def test_an_unknown_language_is_refused_before_anything_is_queued(idle_service: Service, empty_redis: Redis) -> None:
    with pytest.raises(UnknownLanguage):
        idle_service.submit(Submission("execute", [ExecuteRequest(language="cobol", code="")], durable=True))
    assert list(empty_redis.scan_iter("sandbox:*")) == []


def test_without_workers_the_service_is_not_ready_and_says_why(idle_service: Service) -> None:
    readiness = idle_service.check_readiness()
    assert (readiness.ready, readiness.workers, readiness.problems) == (False, 0, ["no worker is alive"])


def test_with_workers_the_service_is_ready(live_service: Service) -> None:
    readiness = live_service.check_readiness()
    assert (readiness.ready, readiness.workers, readiness.engine, readiness.problems) == (True, 2, "docker", [])


def test_many_threads_may_submit_at_once(live_service: Service) -> None:
    def add(number: int) -> int:
        code = f"print({number} + int(input()))"
        return int(_execute(live_service, ExecuteRequest(language="python", code=code, stdin="1")).stdout)

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(add, range(100))) == [number + 1 for number in range(100)]


def test_a_program_can_have_megabytes_of_input_and_output(live_service: Service) -> None:
    text = "0123456789abcdef" * (1 << 18)
    code = "import sys; sys.stdout.write(sys.stdin.read()[::-1])"
    result = _execute(live_service, ExecuteRequest(language="python", code=code, stdin=text))
    assert result.stdout == text[::-1]


def test_programs_of_all_languages_and_kinds_go_through_one_queue(live_service: Service) -> None:
    tests = [TestCase(stdin="3\n", expected="9\n"), TestCase(stdin="4\n", expected="16\n")]
    sources = {
        "python": "print(int(input()) ** 2)",
        "c++": "#include <iostream>\nint main() { int n; std::cin >> n; std::cout << n * n << '\\n'; }",
        "javascript": "const n = Number(require('fs').readFileSync(0)); console.log(n * n)",
        "bash": "read -r n; echo $((n * n))",
    }
    requests = [VerifyRequest(language=name, code=code, tests=tests) for name, code in sources.items()]
    ticket = live_service.submit(Submission("verify", requests, batch=True))
    results = [VerifyResult.model_validate_json(future.result(60)) for future in ticket.results]
    assert [result.verdict for result in results] == [Verdict.ACCEPTED] * len(sources)
    assert [result.compile is not None for result in results] == [False, True, False, False]


def test_a_compile_error_includes_the_compiler_message(live_service: Service) -> None:
    result = _execute(live_service, ExecuteRequest(language="c", code="int main(void) { return x; }"))
    assert result.status is Status.COMPILE_ERROR
    assert result.compile is not None
    assert result.compile.status is Status.COMPILE_ERROR
    assert "undeclared" in result.compile.stderr
    assert result.stdout == ""
