"""The services that are measured: ours and the peers, each by its own wire format, every answer checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import count, islice
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson

from loadtest.load import Answer, Drive, Judged, Request, Unanswered, post
from loadtest.sample import Sample, WrongVerdict, check_verdicts
from loadtest.workloads import ACCEPTED, CRASHED, TOO_SLOW, Case, Task, Workload

BIG_CHARS = 1 << 20
MOST_UNBATCHED = 16
COMPILE_PATIENCE_S = 120  # SandboxFusion compiles all that is sent at one time: 16 on two cores take 14 s each


class Dialect(Protocol):
    """How programs become requests; one without batches gets more of them at one time in a batch's place."""

    batches: bool

    def requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]: ...


class HttpSide:
    """A running service in one of the dialects; `run` is one round."""

    def __init__(self, name: str, url: str, dialect: Callable[[str], Dialect], cores: int) -> None:
        self.name = name
        self.url = url.rstrip("/")
        self._dialect = dialect(urlsplit(url).netloc)
        self._cores = cores

    def run(self, workload: Workload, seconds: float, concurrency: int = 0) -> Sample:
        """Raises WrongVerdict or Unanswered."""
        number = workload.number_of_programs(self._cores)
        tasks = (workload.make(index) for index in count(Sample.fresh_index()))
        requests = self._dialect.requests(islice(tasks, number) if number else tasks, workload)
        drive = Drive(self.url, requests, concurrency or self.at_one_time(workload), seconds)
        return drive.run(whole=bool(number))

    def at_one_time(self, workload: Workload) -> int:
        """Requests, so that a batch keeps every core busy whether or not it can be sent as one."""
        unbatched = 1 if self._dialect.batches else min(workload.batch, MOST_UNBATCHED)
        return max(workload.concurrency, unbatched)


def grouped(tasks: Iterator[Task], size: int) -> Iterator[list[Task]]:
    while group := list(islice(tasks, size)):
        yield group


def parsed(answer: Answer) -> Any:
    """The JSON of a 200; raises Unanswered."""
    if answer.status != 200:
        raise Unanswered(f"HTTP {answer.status}: {answer.body[:500].decode(errors='replace')}")
    return orjson.loads(answer.body)


class Ours:
    """`POST /verify`, `/verify/batch`, and the batch as a stream."""

    batches = True

    def __init__(self, host: str, slots: int = 1) -> None:
        self._host = host
        self._slots = slots

    def requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]:
        if workload.batch == 1:
            return (self._single(task) for task in tasks)
        return (self._batch(group, workload.stream) for group in grouped(tasks, workload.batch))

    def _single(self, task: Task) -> Request:
        def check(answer: Answer) -> Judged:
            return Judged(*verify_result(task, parsed(answer)))

        return post(self._host, "/verify", verify_request(task), check)

    def _batch(self, tasks: Sequence[Task], stream: bool) -> Request:
        body = [b'{"items":[']
        for task in tasks:
            body += [*verify_request(task), b","]
        body[-1] = b"]}"
        check = streamed(tasks, self._slots) if stream else batched(tasks)
        small = body if any(len(piece) > BIG_CHARS for piece in body) else [b"".join(body)]
        return post(self._host, "/verify/batch", small, check, stream)


def verify_request(task: Task) -> list[bytes]:
    """A VerifyRequest as JSON, big tests as pieces that are made once."""
    options: dict[str, Any] = {"language": task.language, "code": task.code}
    if task.cpu_limit_s != 10.0:
        options["limits"] = {"cpu_time_s": task.cpu_limit_s}
    if task.stop_on_failure:
        options["stop_on_failure"] = True
    if task.checker != "tokens":
        options["checker"] = {"type": task.checker}
    if any(len(case.stdin) > BIG_CHARS for case in task.cases):
        pieces = [orjson.dumps(options)[:-1] + b',"tests":[']
        for case in task.cases:
            pieces += [big_case(case), b","]
        pieces[-1] = b"]}"
        return pieces
    options["tests"] = [{"stdin": case.stdin, "expected": case.expected} for case in task.cases]
    return [orjson.dumps(options)]


@lru_cache(maxsize=4)
def big_case(case: Case) -> bytes:
    return orjson.dumps({"stdin": case.stdin, "expected": case.expected})


def verify_result(task: Task, result: Any) -> tuple[int, float]:
    """Verdicts given and CPU seconds used; raises WrongVerdict."""
    tests = result["tests"]
    check_verdicts(task, [test["verdict"] for test in tests])
    compiled = result.get("compile")
    stages = [*tests, compiled] if compiled else tests
    return task.verdicts_given, sum(stage["usage"]["cpu_time_s"] for stage in stages)


def batched(tasks: Sequence[Task]) -> Callable[[Answer], Judged]:
    def check(answer: Answer) -> Judged:
        judged = [verify_result(task, result) for task, result in zip(tasks, parsed(answer)["results"], strict=True)]
        return Judged(sum(verdicts for verdicts, _ in judged), sum(cpu for _, cpu in judged))

    return check


def streamed(tasks: Sequence[Task], slots: int) -> Callable[[Answer], Judged]:
    """The tail begins when no more programs are left than there are slots: each of them could be running by then."""

    def check(answer: Answer) -> Judged:
        if answer.status != 200:
            parsed(answer)
        verdicts, cpu_s, arrivals = 0, 0.0, []
        for arrived, line in answer.timed_lines():
            part = orjson.loads(line)
            if "result" not in part:
                raise Unanswered(f"item {part['index']}: {part['problem']}")
            given, own_cpu_s = verify_result(tasks[part["index"]], part["result"])
            verdicts, cpu_s = verdicts + given, cpu_s + own_cpu_s
            arrivals.append((arrived, own_cpu_s))
        if len(arrivals) != len(tasks):
            raise Unanswered(f"{len(arrivals)} results of {len(tasks)}")
        left = arrivals[-slots:]
        began = arrivals[max(0, len(arrivals) - slots - 1)][0]
        return Judged(verdicts, cpu_s, max(0.0, left[-1][0] - began - max(own_cpu_s for _, own_cpu_s in left)))

    return check


class SandboxFusion:
    """`POST /run_code`, a request per test: the output is compared here, as its clients do."""

    batches = False

    def __init__(self, host: str) -> None:
        self._host = host

    def requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]:
        for task in tasks:
            for number in range(task.verdicts_given):
                yield self._one(task, number)

    def _one(self, task: Task, number: int) -> Request:
        def check(answer: Answer) -> Judged:
            verdict = fusion_verdict(parsed(answer), task, task.cases[number])
            if verdict != task.verdicts[number]:
                raise WrongVerdict(f"{verdict} where {task.verdicts[number]} is right, of\n{task.code[:2000]}")
            return Judged(1)

        body = {
            "code": task.code,
            "language": task.language,
            "stdin": task.cases[number].stdin,
            "run_timeout": task.cpu_limit_s,
            "compile_timeout": COMPILE_PATIENCE_S,
        }
        return post(self._host, "/run_code", [orjson.dumps(body)], check)


def fusion_verdict(answer: Any, task: Task, case: Case) -> str:
    run = answer["run_result"]
    if answer["status"] == "SandboxError" or run is None:
        raise Unanswered(f"SandboxFusion failed: {answer['message']}")
    if run["status"] == "TimeLimitExceeded":
        return TOO_SLOW
    if run["return_code"]:
        return CRASHED
    same = run["stdout"] == case.expected if task.checker == "exact" else run["stdout"].split() == case.expected.split()
    return ACCEPTED if same else "wrong_answer"


class CodeJudge:
    """`POST /judge`, and `/judge/long-batch` for what has several tests: a submission per test, success or not.

    Several tests go there even where the first failure is the last that is run: unlike `/judge` it drops nothing that
    waited for 4 s behind programs that never end.
    """

    batches = True

    def __init__(self, host: str) -> None:
        self._host = host

    def requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]:
        return (self._batch(group) for group in grouped(tasks, workload.batch))

    def _batch(self, tasks: Sequence[Task]) -> Request:
        submissions = [
            {"type": task.language, "solution": task.code, "input": case.stdin, "expected_output": case.expected}
            for task in tasks
            for case in task.cases[: task.verdicts_given]
        ]
        wanted = [verdict == ACCEPTED for task in tasks for verdict in task.verdicts[: task.verdicts_given]]
        single = len(tasks) == len(tasks[0].cases) == 1

        def check(answer: Answer) -> Judged:
            body = parsed(answer)
            results = [body] if single else body["results"]
            for result in results:
                if result["reason"] in {"internal_error", "queue_timeout", "invalid_input"}:
                    raise Unanswered(f"code-judge failed: {result['reason']}")
            given = [result["success"] for result in results]
            if given != wanted:
                raise WrongVerdict(f"success {given} where {wanted} is right, of\n{tasks[0].code[:2000]}")
            return Judged(len(given))

        if single:
            return post(self._host, "/judge", [orjson.dumps(submissions[0])], check)
        body = orjson.dumps({"type": "batch", "submissions": submissions})
        return post(self._host, "/judge/long-batch", [body], check)


PEERS: dict[str, Callable[[str], Dialect]] = {"sandbox-fusion": SandboxFusion, "code-judge": CodeJudge}
