"""A reward request as programs to verify, and their verdicts as rewards. Pure: who runs them is the caller's business.

A completion keeps its place from the request to the rewards: the plan remembers, for every completion, which of the
programs is its own, or that it has none. Nothing is appended in the order in which it happens to be ready. Completions
with the same program and tests have it judged once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.errors import BadRequest, UnknownLanguage
from sandbox.languages import named
from sandbox.rewards.extract import extract, parses, tag_language, text_of
from sandbox.rewards.score import Judged, score
from sandbox.runner.contract import Verdict
from sandbox.schema import MAX_CODE_CHARS, VerifyRequest, VerifyResult
from sandbox.schema.reward import RewardDetail, RewardRequest, RewardResult, Task

TaskLookup = Callable[[Sequence[str]], Mapping[str, Task]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One completion's way: what was found in it, and the index of its program, None when there is nothing to run."""

    language: str
    tests: int
    weights: Sequence[float]
    length: int
    closed: bool = False
    program: int | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to verify, and what to make of it."""

    request: RewardRequest
    candidates: list[Candidate]
    programs: list[VerifyRequest]


def no_task_sets(references: Sequence[str]) -> Mapping[str, Task]:
    """The lookup of one who has no task sets."""
    raise BadRequest("tasks are known to the service only: send `tests`, or POST /reward", field="tasks")


def verify_requests(request: RewardRequest, lookup: TaskLookup = no_task_sets) -> Plan:
    """The programs of the completions that have one. Raises BadRequest, and whatever `lookup` raises."""
    tasks = _tasks(request, lookup)
    candidates: list[Candidate] = []
    programs = _Programs()
    for index, task in enumerate(tasks):
        candidate, program = _candidate(request, index, task)
        candidates.append(candidate if program is None else replace(candidate, program=programs.place_of(program)))
    return Plan(request, candidates, programs.all)


class _Programs:
    """The programs of a plan, each once: completions of one prompt are often the same, and then share a verdict."""

    def __init__(self) -> None:
        self.all: list[VerifyRequest] = []
        self._places: dict[str, list[int]] = {}

    def place_of(self, program: VerifyRequest) -> int:
        same_code = self._places.setdefault(program.code, [])
        for place in same_code:
            if self.all[place] == program:
                return place
        same_code.append(len(self.all))
        self.all.append(program)
        return same_code[-1]


def rewards_of(plan: Plan, results: Sequence[VerifyResult | None]) -> RewardResult:
    """The rewards, in the order of the completions, from the programs' results in theirs; None is a lost result."""
    if len(results) != len(plan.programs):
        raise ValueError(f"{len(results)} results for {len(plan.programs)} programs")
    rewards: list[float | None] = []
    details: list[RewardDetail] = []
    for candidate in plan.candidates:
        result = None if candidate.program is None else results[candidate.program]
        if candidate.program is not None and result is None:
            rewards.append(None)
        else:
            rewards.append(score(plan.request.policy, _judged(plan, candidate, result)))
        details.append(_detail(candidate, result))
    return RewardResult(rewards=rewards, details=details)


def _tasks(request: RewardRequest, lookup: TaskLookup) -> list[Task]:
    """The task of each completion."""
    if request.tasks is not None:
        known = lookup(list(dict.fromkeys(request.tasks)))
        tasks = [known[reference] for reference in request.tasks]
    else:
        every = request.tests or []
        weights: Sequence[list[float] | None] = request.weights or [None] * len(every)
        # Checked already, and a model built anew for every completion's tests costs as much as reading them.
        tasks = [
            Task.model_construct(tests=tests, weights=some, language=None, checker=None, limits=None)
            for tests, some in zip(every, weights, strict=True)
        ]
    return tasks * len(request.completions) if len(tasks) == 1 else tasks[: len(request.completions)]


def _candidate(request: RewardRequest, index: int, task: Task) -> tuple[Candidate, VerifyRequest | None]:
    completion = request.completions[index]
    chosen = request.policy.chosen(len(task.tests))
    language = task.language or (request.language if isinstance(request.language, str) else request.language[index])
    if language:
        named(tag_language(language))  # a language that we lack is the caller's mistake, not the completion's
    answer = extract(completion, language, request.extract)
    weights = [task.weights[test] for test in chosen] if task.weights else []
    length = len(text_of(completion)) if request.lengths is None else request.lengths[index]
    why_not = "no code in the completion" if answer is None else _why_not(answer.code, answer.language)
    if answer is None or why_not:
        return Candidate(language, len(chosen), weights, length, message=why_not), None
    verify = VerifyRequest.model_construct(
        _fields_set={"language", "code", "tests", "checker", "limits", "stop_on_failure", "priority"},
        language=answer.language,
        code=answer.code,
        tests=[task.tests[test] for test in chosen],
        checker=task.checker or request.checker,
        limits=task.limits or request.limits,
        # The first failure settles a binary reward.
        stop_on_failure=request.policy.name == "binary",
        priority=request.priority,
    )
    return Candidate(answer.language, len(chosen), weights, length, answer.closed), verify


def _why_not(code: str, language: str) -> str:
    """Why code cannot be run at all, which is the completion's fault and must not spoil its batch; empty if it can."""
    if len(code) > MAX_CODE_CHARS:
        return f"code of over {MAX_CODE_CHARS} characters"
    try:
        named(language)
    except UnknownLanguage:
        return "no telling in which language the code is; give `language`"
    return ""


def _judged(plan: Plan, candidate: Candidate, result: VerifyResult | None) -> Judged:
    return Judged(
        answered=candidate.program is not None,
        verdicts=[] if result is None else _verdicts(result),
        parses=result is None or _parses(plan, candidate, result),
        weights=candidate.weights,
        well_formed=candidate.closed,
        length=candidate.length,
    )


def _verdicts(result: VerifyResult) -> list[Verdict]:
    """Each test's verdict. The whole's counts where it is our failure: a result cut short is no result."""
    if result.verdict is Verdict.INTERNAL_ERROR or len(result.tests) != result.total:
        return [Verdict.INTERNAL_ERROR] * max(1, result.total)
    return [test.verdict for test in result.tests]


def _parses(plan: Plan, candidate: Candidate, result: VerifyResult) -> bool:
    """Whether the code is a program. Python says so by failing every test; only then is it worth a look here."""
    if plan.request.policy.name != "x-coder" or candidate.language != "python" or candidate.program is None:
        return True
    failed = all(test.verdict is Verdict.RUNTIME_ERROR for test in result.tests)
    return not failed or parses(plan.programs[candidate.program].code)


def _detail(candidate: Candidate, result: VerifyResult | None) -> RewardDetail:
    if result is None:
        lost = candidate.program is not None
        return RewardDetail(
            answered=lost,
            language=candidate.language,
            verdict=Verdict.INTERNAL_ERROR if lost else None,
            total=candidate.tests,
            message="the service did not answer" if lost else candidate.message,
        )
    return RewardDetail(
        answered=True,
        language=candidate.language,
        verdict=result.verdict,
        passed=result.passed,
        total=result.total,
        message=next((test.message for test in result.tests if test.message), ""),
    )
