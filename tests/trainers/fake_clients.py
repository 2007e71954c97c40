"""Clients that judge by a rule instead of running programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox.rewards.plan import RewardPlan, build_plan
from sandbox.rewards.scoring import score_results
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase, TestResult, VerifyRequest, VerifyResult
from sandbox.schema.reward import RewardRequest, RewardResult, Task

TESTS = [{"input": "", "output": "42"}, {"input": "", "output": "43"}]

JudgeRule = Callable[[VerifyRequest], list[Verdict]]


def build_result(verdicts: Sequence[Verdict]) -> VerifyResult:
    """Build a result with these verdicts on its tests."""
    passed = sum(verdict is Verdict.ACCEPTED for verdict in verdicts)
    whole = next((verdict for verdict in verdicts if verdict is not Verdict.ACCEPTED), Verdict.ACCEPTED)
    return VerifyResult(
        id="1",
        verdict=whole,
        passed=passed,
        total=len(verdicts),
        score=passed / len(verdicts),
        tests=[TestResult(verdict=verdict) for verdict in verdicts],
    )


def judge_by_echo(request: VerifyRequest) -> list[Verdict]:
    """Treat the comment on the last line as the output: `# 42` is accepted if 42 is expected."""
    printed = request.code.rsplit("# ", 1)[-1].strip()
    if printed == "broken":
        return [Verdict.RUNTIME_ERROR] * len(request.tests)
    good = {True: Verdict.ACCEPTED, False: Verdict.WRONG_ANSWER}
    return [good[isinstance(test, TestCase) and test.expected.strip() == printed] for test in request.tests]


def encode_result(verdicts: Sequence[Verdict]) -> bytes:
    """Build a result with these verdicts on its tests, as a worker writes it."""
    return build_result(verdicts).model_dump_json().encode()


def plan_without_tasks(request: RewardRequest) -> RewardPlan:
    """Plan a request that has its tests and names no tasks."""
    return build_plan(request, lambda references: {})


def score_by_echo(plan: RewardPlan) -> RewardResult:
    """Score the programs of a plan by `judge_by_echo`."""
    return score_results(plan, [encode_result(judge_by_echo(program)) for program in plan.programs])


def compute_echo_rewards(request: RewardRequest) -> RewardResult:
    return score_by_echo(plan_without_tasks(request))


class FakeClient:
    """Computes rewards as the service does, with the verdicts of `judge` and the tasks that it knows.

    Records the requests, and the programs of each request that has any.
    """

    def __init__(self, judge: JudgeRule = judge_by_echo) -> None:
        self.judge = judge
        self.batches: list[list[VerifyRequest]] = []
        self.reward_requests: list[RewardRequest] = []
        self.tasks: dict[str, Task] = {}

    def reward(self, request: RewardRequest) -> RewardResult:
        self.reward_requests.append(request)
        plan = build_plan(request, lambda references: {each: self.tasks[each] for each in references})
        if plan.programs:
            self.batches.append(plan.programs)
        return score_results(plan, [encode_result(self.judge(program)) for program in plan.programs])


class FakeAsyncClient:
    """The asyncio version of `FakeClient`."""

    def __init__(self, judge: JudgeRule = judge_by_echo) -> None:
        self.sync = FakeClient(judge)

    async def reward(self, request: RewardRequest) -> RewardResult:
        return self.sync.reward(request)


def fail_every_test(request: VerifyRequest) -> list[Verdict]:
    """Report an infrastructure failure for every test."""
    return [Verdict.INTERNAL_ERROR] * len(request.tests)


def fence_code(code: str, tag: str = "python") -> str:
    return f"Here it is:\n```{tag}\n{code}\n```\nDone."
