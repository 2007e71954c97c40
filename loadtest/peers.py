"""The peers that can be measured beside the sandbox, each in its own wire format. Every answer is checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

import orjson

from loadtest.load_generator import CheckResult, MeasurementFailed, Request, Response, build_post_request
from loadtest.sample import WrongVerdict
from loadtest.sides import Address, Dialect, group_tasks, parse_json
from loadtest.workloads import ACCEPTED, CRASHED, TOO_SLOW, Case, Task, Workload

COMPILE_TIMEOUT_S = 120  # SandboxFusion compiles all at once: 16 on two cores take 14 s each
JUDGE0_LANGUAGES = {"python": 71, "cpp": 54}
JUDGE0_ACCEPTED, JUDGE0_WRONG, JUDGE0_TOO_SLOW, JUDGE0_FAILED = 3, 4, 5, 13
PISTON_LANGUAGES = {"python": "python", "cpp": "c++"}


class CodeJudge:
    """`POST /judge`, and `/judge/long-batch` for programs with several tests: one submission per test, pass or fail.

    Several tests use the long batch even if the program stops at the first failure, because `/judge` drops submissions
    that have waited for 4 s behind programs that never end.
    """

    supports_batches = True

    def __init__(self, address: Address) -> None:
        self._host, self._prefix = address

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
                wrong = sum(one != other for one, other in zip_longest(given, wanted))
                raise WrongVerdict(f"success {given} where {wanted} is right, of\n{tasks[0].code[:2000]}", wrong)
            return CheckResult(len(given))

        if single:
            return build_post_request(
                self._host, f"{self._prefix}/judge", [orjson.dumps(submissions[0])], check, expected=1
            )
        body = orjson.dumps({"type": "batch", "submissions": submissions})
        return build_post_request(self._host, f"{self._prefix}/judge/long-batch", [body], check, expected=len(wanted))


class PerTest:
    """A dialect that sends each test of a program as a request of its own."""

    supports_batches = False

    def __init__(self, address: Address) -> None:
        self._host, self._prefix = address

    def build_requests(self, tasks: Iterator[Task], workload: Workload) -> Iterator[Request]:
        for task in tasks:
            for number in range(task.executed_tests):
                yield self._build_request(task, number)

    def _build_request(self, task: Task, number: int) -> Request:
        def check(answer: Response) -> CheckResult:
            verdict = self.read_verdict(parse_json(answer, {200, 201}), task, task.cases[number])
            if verdict != task.verdicts[number]:
                raise WrongVerdict(f"{verdict} where {task.verdicts[number]} is right, of\n{task.code[:2000]}")
            return CheckResult(1)

        body = orjson.dumps(self.build_body(task, task.cases[number]))
        return build_post_request(self._host, f"{self._prefix}{self.path}", [body], check)

    path: str

    def build_body(self, task: Task, case: Case) -> dict[str, Any]:
        raise NotImplementedError

    def read_verdict(self, answer: Any, task: Task, case: Case) -> str:
        raise NotImplementedError


class SandboxFusion(PerTest):
    """`POST /run_code`, one test each; outputs are compared here, as its clients do."""

    path = "/run_code"

    def build_body(self, task: Task, case: Case) -> dict[str, Any]:
        return {
            "code": task.code,
            "language": task.language,
            "stdin": case.stdin,
            "run_timeout": task.cpu_limit_s,
            "compile_timeout": COMPILE_TIMEOUT_S,
        }

    def read_verdict(self, answer: Any, task: Task, case: Case) -> str:
        run = answer["run_result"]
        if answer["status"] == "SandboxError" or run is None:
            raise MeasurementFailed(f"SandboxFusion failed: {answer['message']}")
        if run["status"] == "TimeLimitExceeded":
            return TOO_SLOW
        return CRASHED if run["return_code"] else compare_output(run["stdout"], task, case)


class Judge0(PerTest):
    """`POST /submissions?wait=true`, one test each."""

    path = "/submissions?base64_encoded=false&wait=true"

    def build_body(self, task: Task, case: Case) -> dict[str, Any]:
        return {
            "source_code": task.code,
            "language_id": JUDGE0_LANGUAGES[task.language],
            "stdin": case.stdin,
            "expected_output": case.expected,
            "cpu_time_limit": task.cpu_limit_s,
        }

    def read_verdict(self, answer: Any, task: Task, case: Case) -> str:
        status = answer["status"]["id"]
        if status < JUDGE0_ACCEPTED or status == JUDGE0_FAILED:
            raise MeasurementFailed(f"Judge0 failed: {answer['status']['description']}")
        return {JUDGE0_ACCEPTED: ACCEPTED, JUDGE0_WRONG: "wrong_answer", JUDGE0_TOO_SLOW: TOO_SLOW}.get(status, CRASHED)


class Piston(PerTest):
    """`POST /api/v2/execute`, one test each; outputs are compared here, as its clients do."""

    path = "/api/v2/execute"

    def build_body(self, task: Task, case: Case) -> dict[str, Any]:
        return {
            "language": PISTON_LANGUAGES[task.language],
            "version": "*",
            "files": [{"content": task.code}],
            "stdin": case.stdin,
            "run_timeout": round(1000 * task.cpu_limit_s),
        }

    def read_verdict(self, answer: Any, task: Task, case: Case) -> str:
        run = answer["run"]
        if run.get("status") == "XX":
            raise MeasurementFailed(f"Piston failed: {run.get('message')}")
        if run.get("status") == "TO" or run.get("signal") == "SIGKILL":
            return TOO_SLOW
        return CRASHED if run["code"] else compare_output(run["stdout"], task, case)


def compare_output(stdout: str, task: Task, case: Case) -> str:
    same = stdout == case.expected if task.checker == "exact" else stdout.split() == case.expected.split()
    return ACCEPTED if same else "wrong_answer"


PEERS: dict[str, Callable[[Address], Dialect]] = {
    "sandbox-fusion": SandboxFusion,
    "code-judge": CodeJudge,
    "judge0": Judge0,
    "piston": Piston,
}
