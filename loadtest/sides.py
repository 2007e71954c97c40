"""The measured services: the sandbox and its peers, each in its own wire format. Every answer is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import count, islice
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson

from loadtest.load_generator import CheckResult, LoadRound, MeasurementFailed, Request, Response, build_post_request
from loadtest.sample import Sample, WrongVerdict, check_verdicts
from loadtest.workloads import ACCEPTED, CRASHED, TOO_SLOW, Case, Task, Workload

SANDBOX: Final = "ours"
BARE: Final = "bare"
DOCKER_RUN: Final = "docker-run"
COMPILE_EACH: Final = "compile-each"
BIG_CASE_CHARS = 1 << 20
MAX_UNBATCHED = 16
COMPILE_TIMEOUT_S = 120  # SandboxFusion compiles all at once: 16 on two cores take 14 s each


class Dialect(Protocol):
    """Turns programs into requests. A dialect without batches gets more concurrent requests instead."""

    supports_batches: bool

    def build_requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]: ...


class HttpSide:
    """A running service in one of the dialects. `run` runs one round."""

    def __init__(self, name: str, url: str, dialect: Callable[[str], Dialect], cores: int) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self._dialect = dialect(urlsplit(url).netloc)
        self._cores = cores

    def run(self, workload: Workload, seconds: float, concurrency: int = 0) -> Sample:
        """Run one round. Raises WrongVerdict or MeasurementFailed."""
        number = workload.count_programs(self._cores)
        tasks = (workload.make(index) for index in count(Sample.draw_start_index()))
        requests = self._dialect.build_requests(islice(tasks, number) if number else tasks, workload)
        drive = LoadRound(self.url, requests, concurrency or self.choose_concurrency(workload), seconds)
        return drive.run(send_all=bool(number))

    def choose_concurrency(self, workload: Workload) -> int:
        """Return the number of concurrent requests that keeps every core busy, with or without batches."""
        unbatched = 1 if self._dialect.supports_batches else min(workload.batch, MAX_UNBATCHED)
        return max(workload.concurrency, unbatched)


def group_tasks(tasks: Iterator[Task], size: int) -> Iterator[list[Task]]:
    while group := list(islice(tasks, size)):
        yield group


def parse_json(answer: Response) -> Any:
    """Return the JSON of a response with status 200. Raises MeasurementFailed."""
    if answer.status != 200:
        raise MeasurementFailed(f"HTTP {answer.status}: {answer.body[:500].decode(errors='replace')}")
    return orjson.loads(answer.body)


class SandboxDialect:
    """`POST /verify`, `/verify/batch`, and the batch as a stream."""

    supports_batches = True

    def __init__(self, host: str, slots: int = 1) -> None:
        self._host = host
        self._slots = slots

    def build_requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]:
        if workload.batch == 1:
            return (self._build_single(task) for task in tasks)
        return (self._build_batch(group, workload.stream) for group in group_tasks(tasks, workload.batch))

    def _build_single(self, task: Task) -> Request:
        def check(answer: Response) -> CheckResult:
            return CheckResult(*check_verify_result(task, parse_json(answer)))

        return build_post_request(self._host, "/verify", build_verify_request(task), check)

    def _build_batch(self, tasks: Sequence[Task], stream: bool) -> Request:
        body = [b'{"items":[']
        for task in tasks:
            body += [*build_verify_request(task), b","]
        body[-1] = b"]}"
        check = make_stream_check(tasks, self._slots) if stream else make_batch_check(tasks)
        small = body if any(len(piece) > BIG_CASE_CHARS for piece in body) else [b"".join(body)]
        return build_post_request(self._host, "/verify/batch", small, check, stream)


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


class SandboxFusion:
    """`POST /run_code`, one request per test. The output is compared here, as its clients do."""

    supports_batches = False

    def __init__(self, host: str) -> None:
        self._host = host

    def build_requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]:
        for task in tasks:
            for number in range(task.executed_tests):
                yield self._build_request(task, number)

    def _build_request(self, task: Task, number: int) -> Request:
        def check(answer: Response) -> CheckResult:
            verdict = read_fusion_verdict(parse_json(answer), task, task.cases[number])
            if verdict != task.verdicts[number]:
                raise WrongVerdict(f"{verdict} where {task.verdicts[number]} is right, of\n{task.code[:2000]}")
            return CheckResult(1)

        body = {
            "code": task.code,
            "language": task.language,
            "stdin": task.cases[number].stdin,
            "run_timeout": task.cpu_limit_s,
            "compile_timeout": COMPILE_TIMEOUT_S,
        }
        return build_post_request(self._host, "/run_code", [orjson.dumps(body)], check)


def read_fusion_verdict(answer: Any, task: Task, case: Case) -> str:
    run = answer["run_result"]
    if answer["status"] == "SandboxError" or run is None:
        raise MeasurementFailed(f"SandboxFusion failed: {answer['message']}")
    if run["status"] == "TimeLimitExceeded":
        return TOO_SLOW
    if run["return_code"]:
        return CRASHED
    same = run["stdout"] == case.expected if task.checker == "exact" else run["stdout"].split() == case.expected.split()
    return ACCEPTED if same else "wrong_answer"


class CodeJudge:
    """`POST /judge`, and `/judge/long-batch` for programs with several tests: one submission per test, pass or fail.

    Several tests use the long batch even if the program stops at the first failure, because `/judge` drops submissions
    that have waited for 4 s behind programs that never end.
    """

    supports_batches = True

    def __init__(self, host: str) -> None:
        self._host = host

    def build_requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]:
        return (self._build_batch(group) for group in group_tasks(tasks, workload.batch))

    def _build_batch(self, tasks: Sequence[Task]) -> Request:
        submissions = [
            {"type": task.language, "solution": task.code, "input": case.stdin, "expected_output": case.expected}
            for task in tasks
            for case in task.cases[: task.executed_tests]
        ]
        wanted = [verdict == ACCEPTED for task in tasks for verdict in task.verdicts[: task.executed_tests]]
        single = len(tasks) == len(tasks[0].cases) == 1

        def check(answer: Response) -> CheckResult:
            body = parse_json(answer)
            results = [body] if single else body["results"]
            for result in results:
                if result["reason"] in {"internal_error", "queue_timeout", "invalid_input"}:
                    raise MeasurementFailed(f"code-judge failed: {result['reason']}")
            given = [result["success"] for result in results]
            if given != wanted:
                raise WrongVerdict(f"success {given} where {wanted} is right, of\n{tasks[0].code[:2000]}")
            return CheckResult(len(given))

        if single:
            return build_post_request(self._host, "/judge", [orjson.dumps(submissions[0])], check)
        body = orjson.dumps({"type": "batch", "submissions": submissions})
        return build_post_request(self._host, "/judge/long-batch", [body], check)


PEERS: dict[str, Callable[[str], Dialect]] = {"sandbox-fusion": SandboxFusion, "code-judge": CodeJudge}
