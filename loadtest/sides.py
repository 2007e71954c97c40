"""The measured service: the sandbox, and how a side sends a workload to a service. Every answer is checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from itertools import count, islice
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson

from loadtest.load_generator import CheckResult, LoadRound, MeasurementFailed, Request, Response, build_post_request
from loadtest.sample import Sample, check_verdicts
from loadtest.workloads import Case, Task, Workload

SANDBOX: Final = "ours"
BARE: Final = "bare"
DOCKER_RUN: Final = "docker-run"
COMPILE_EACH: Final = "compile-each"
BIG_CASE_CHARS = 1 << 20
MAX_UNBATCHED = 16


class Address(NamedTuple):
    """Where a service is: its host, and the path that comes before all of its paths."""

    host: str
    prefix: str = ""


class Dialect(Protocol):
    """Turns programs into requests. A dialect without batches gets more concurrent requests instead."""

    supports_batches: bool

    def build_requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]: ...


class HttpSide:
    """A running service in one of the dialects. `run` runs one round.

    If it `may_fail`, as a peer may, its wrong and lost verdicts are counted. Otherwise they end the run.
    """

    def __init__(
        self, name: str, url: str, dialect: Callable[[Address], Dialect], cores: int, may_fail: bool = False
    ) -> None:
        self.name = name
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self._dialect = dialect(Address(parts.netloc, parts.path))
        self._cores = cores
        self._may_fail = may_fail

    def run(self, workload: Workload, seconds: float, concurrency: int = 0) -> Sample:
        """Run one round. Raises WrongVerdict or MeasurementFailed."""
        number = workload.count_programs(self._cores)
        tasks = (workload.make(index) for index in count(Sample.draw_start_index()))
        requests = self._dialect.build_requests(islice(tasks, number) if number else tasks, workload)
        connections = concurrency or self.choose_concurrency(workload)
        drive = LoadRound(self.url, requests, connections, seconds, may_fail=self._may_fail)
        return drive.run(send_all=bool(number))

    def choose_concurrency(self, workload: Workload) -> int:
        """Return the number of concurrent requests that keeps every core busy, with or without batches."""
        unbatched = 1 if self._dialect.supports_batches else min(workload.batch, MAX_UNBATCHED)
        return max(workload.concurrency, unbatched)


def group_tasks(tasks: Iterator[Task], size: int) -> Iterator[list[Task]]:
    while group := list(islice(tasks, size)):
        yield group


def parse_json(answer: Response, allowed: Collection[int] = (200,)) -> Any:
    """Return the JSON of a response with an allowed status. Raises MeasurementFailed."""
    if answer.status not in allowed:
        raise MeasurementFailed(f"HTTP {answer.status}: {answer.body[:500].decode(errors='replace')}")
    return orjson.loads(answer.body)


class SandboxDialect:
    """`POST /verify`, `/verify/batch`, and the batch as a stream."""

    supports_batches = True

    def __init__(self, address: Address, slots: int = 1) -> None:
        self._host, self._prefix = address
        self._slots = slots

    def build_requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]:
        if workload.batch == 1:
            return (self._build_single(task) for task in tasks)
        return (self._build_batch(group, workload.stream) for group in group_tasks(tasks, workload.batch))

    def _build_single(self, task: Task) -> Request:
        def check(answer: Response) -> CheckResult:
            return CheckResult(*check_verify_result(task, parse_json(answer)))

        return build_post_request(self._host, f"{self._prefix}/verify", build_verify_request(task), check)

    def _build_batch(self, tasks: Sequence[Task], stream: bool) -> Request:
        body = [b'{"items":[']
        for task in tasks:
            body += [*build_verify_request(task), b","]
        body[-1] = b"]}"
        check = make_stream_check(tasks, self._slots) if stream else make_batch_check(tasks)
        small = body if any(len(piece) > BIG_CASE_CHARS for piece in body) else [b"".join(body)]
        return build_post_request(self._host, f"{self._prefix}/verify/batch", small, check, stream)


def build_verify_request(task: Task) -> list[bytes]:
    """Build a VerifyRequest as JSON; large tests are shared pieces."""
    options: dict[str, Any] = {"language": task.language, "code": task.code}
    if task.cpu_limit_s != 10.0:
        options["limits"] = {"cpu_time_s": task.cpu_limit_s}
    if task.stop_on_failure:
        options["stop_on_failure"] = True
    if task.checker != "tokens":
        options["checker"] = {"type": task.checker}
    if any(len(case.stdin) > BIG_CASE_CHARS for case in task.cases):
        pieces = [orjson.dumps(options)[:-1] + b',"tests":[']
        for case in task.cases:
            pieces += [encode_big_case(case), b","]
        pieces[-1] = b"]}"
        return pieces
    options["tests"] = [{"stdin": case.stdin, "expected": case.expected} for case in task.cases]
    return [orjson.dumps(options)]


@lru_cache(maxsize=4)
def encode_big_case(case: Case) -> bytes:
    return orjson.dumps({"stdin": case.stdin, "expected": case.expected})


def check_verify_result(task: Task, result: Any) -> tuple[int, float]:
    """Return the verdicts given and the CPU seconds used. Raises WrongVerdict."""
    tests = result["tests"]
    check_verdicts(task, [test["verdict"] for test in tests])
    compiled = result.get("compile")
    stages = [*tests, compiled] if compiled else tests
    return task.executed_tests, sum(stage["usage"]["cpu_time_s"] for stage in stages)


def make_batch_check(tasks: Sequence[Task]) -> Callable[[Response], CheckResult]:
    def check(answer: Response) -> CheckResult:
        judged = [
            check_verify_result(task, result) for task, result in zip(tasks, parse_json(answer)["results"], strict=True)
        ]
        return CheckResult(sum(verdicts for verdicts, _ in judged), sum(cpu for _, cpu in judged))

    return check


def make_stream_check(tasks: Sequence[Task], slots: int) -> Callable[[Response], CheckResult]:
    """Make a check that measures the tail, from the moment when no more programs are left than slots."""

    def check(answer: Response) -> CheckResult:
        if answer.status != 200:
            parse_json(answer)
        verdicts, cpu_s, arrivals = 0, 0.0, []
        for arrived, line in answer.iterate_timed_lines():
            part = orjson.loads(line)
            if "result" not in part:
                raise MeasurementFailed(f"item {part['index']}: {part['problem']}")
            given, own_cpu_s = check_verify_result(tasks[part["index"]], part["result"])
            verdicts, cpu_s = verdicts + given, cpu_s + own_cpu_s
            arrivals.append((arrived, own_cpu_s))
        if len(arrivals) != len(tasks):
            raise MeasurementFailed(f"{len(arrivals)} results of {len(tasks)}")
        left = arrivals[-slots:]
        began = arrivals[max(0, len(arrivals) - slots - 1)][0]
        return CheckResult(verdicts, cpu_s, max(0.0, left[-1][0] - began - max(own_cpu_s for _, own_cpu_s in left)))

    return check
