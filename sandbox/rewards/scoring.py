"""Turn the results of a plan's programs into rewards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from sandbox.errors import InfrastructureError
from sandbox.rewards.extraction import parses
from sandbox.rewards.hack_plan import read_conditions
from sandbox.rewards.plan import PlannedCompletion, RewardPlan, build_plan
from sandbox.rewards.policy import CompletionResult, score
from sandbox.rewards.task_lookup import TaskLookup
from sandbox.runner.contract import Verdict
from sandbox.schema import VerifyRequest
from sandbox.schema.reward import RewardDetail, RewardRequest, RewardResult

_VERDICTS = {verdict.value: verdict for verdict in Verdict}


class ProgramVerdicts(NamedTuple):
    """The part of a program's result that its reward and its detail depend on."""

    verdict: Verdict
    passed: int
    total: int
    tests: tuple[Verdict, ...]
    message: str
    queue_time_s: float
    run_time_s: float
    image_time_s: float

    @classmethod
    def read(cls, result_json: bytes) -> ProgramVerdicts:
        """Read a result as the worker wrote it.

        This reads plain dictionaries. A batch has thousands of results, and building models of them takes ten times as
        long, mostly in the garbage collector.
        """
        result = from_json(result_json)
        if "breaks" in result:
            verdict, conditions = read_conditions(result)
            return cls(
                verdict,
                conditions.count(Verdict.ACCEPTED),
                len(conditions),
                conditions,
                f"{result['reason']}: {result['message']}",
                result.get("queue_time_s", 0.0),
                result.get("run_time_s", 0.0),
                result.get("image_time_s", 0.0),
            )
        tests = result["tests"]
        return cls(
            _VERDICTS[result["verdict"]],
            result["passed"],
            result["total"],
            tuple(_VERDICTS[test["verdict"]] for test in tests),
            next((test["message"] for test in tests if test.get("message")), ""),
            result.get("queue_time_s", 0.0),
            result.get("run_time_s", 0.0),
            result.get("image_time_s", 0.0),
        )

    def list_counted(self) -> Sequence[Verdict]:
        """Return the verdict of each test; all are internal errors after a failure, or if tests are missing."""
        if self.verdict is Verdict.INTERNAL_ERROR or len(self.tests) != self.total:
            return [Verdict.INTERNAL_ERROR] * max(1, self.total)
        return self.tests


def score_results(plan: RewardPlan, results: Sequence[bytes | None]) -> RewardResult:
    """Return the rewards in the order of the completions.

    `results` are JSON in the order of the programs; None marks a lost result.
    """
    if len(results) != len(plan.programs):
        raise ValueError(f"{len(results)} results for {len(plan.programs)} programs")
    programs = [None if result is None else ProgramVerdicts.read(result) for result in results]
    rewards: list[float | None] = []
    details: list[RewardDetail] = []
    for candidate in plan.completions:
        program = None if candidate.program_index is None else programs[candidate.program_index]
        if not candidate.usable or (candidate.program_index is not None and program is None):
            rewards.append(None)
        else:
            rewards.append(score(plan.request.policy, _build_completion_result(plan, candidate, program)))
        details.append(_build_detail(candidate, program))
    return RewardResult(rewards=rewards, details=details)


def score_stored_request(request_json: bytes, results: Sequence[bytes], *, look_up_tasks: TaskLookup) -> RewardResult:
    """Return the rewards of a stored request. Planning is deterministic, so the results match its completions.

    Raises InfrastructureError if they do not match, because another version planned the request. Also raises the errors
    of planning.
    """
    try:
        plan = build_plan(RewardRequest.model_validate_json(request_json), look_up_tasks)
    except ValidationError as error:
        raise InfrastructureError(f"another version stored this reward request: {error}") from error
    if len(plan.programs) != len(results):
        raise InfrastructureError(
            f"another version planned this reward request: it has {len(results)} programs, not {len(plan.programs)}"
        )
    return score_results(plan, results)


def _build_completion_result(
    plan: RewardPlan, candidate: PlannedCompletion, program: ProgramVerdicts | None
) -> CompletionResult:
    return CompletionResult(
        answered=candidate.program_index is not None,
        verdicts=() if program is None else program.list_counted(),
        parses=program is None or _is_program(plan, candidate, program),
        weights=candidate.weights,
        well_formed=candidate.fence_closed,
        length=candidate.length,
    )


def _is_program(plan: RewardPlan, candidate: PlannedCompletion, program: ProgramVerdicts) -> bool:
    """Return whether the code parses. Parses it only if every test failed; otherwise it must have parsed."""
    if plan.request.policy.name != "x-coder" or candidate.language != "python" or candidate.program_index is None:
        return True
    failed = all(verdict is Verdict.RUNTIME_ERROR for verdict in program.tests)
    planned = plan.programs[candidate.program_index]
    return not failed or not isinstance(planned, VerifyRequest) or parses(planned.code)


def _build_detail(candidate: PlannedCompletion, program: ProgramVerdicts | None) -> RewardDetail:
    if program is None:
        lost = candidate.program_index is not None
        return RewardDetail(
            answered=lost,
            language=candidate.language,
            verdict=Verdict.INTERNAL_ERROR if lost else None,
            total=candidate.test_count,
            message="the service did not answer" if lost else candidate.message,
        )
    return RewardDetail(
        answered=True,
        language=candidate.language,
        verdict=program.verdict,
        passed=program.passed,
        total=program.total,
        message=program.message,
        queue_time_s=program.queue_time_s,
        run_time_s=program.run_time_s,
        image_time_s=program.image_time_s,
    )
