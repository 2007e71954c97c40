"""A reward request as programs to verify, and their verdicts as rewards. Pure: who runs them is the caller's business.

A completion keeps its place from the request to the rewards: the plan remembers, for every completion, which of the
programs is its own, or that it has none. Nothing is appended in the order in which it happens to be ready. Completions
with the same program and tests have it judged once. What is wrong with one row is that row's alone: a completion
without a program has the policy's reward for that, a row whose tests cannot be used has none (None) and says why.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.errors import BadRequest, NotFound, UnknownLanguage
from sandbox.languages import named, table
from sandbox.rewards.extract import Answer, extract, parses, tag_language, text_of
from sandbox.rewards.prompts import (
    NO_PROMPT,
    UNKNOWN_RESPONSE,
    Prompt,
    response_after_turn,
    response_in_turns,
    response_of_unknown,
)
from sandbox.rewards.score import Judged, score
from sandbox.runner.contract import Verdict
from sandbox.schema import (
    MAX_CODE_CHARS,
    AssertTest,
    FunctionTest,
    PytestTest,
    VerifyRequest,
    VerifyResult,
)
from sandbox.schema.reward import (
    MAX_COMPLETION_CHARS,
    NO_ENTRY_POINT,
    RewardDetail,
    RewardRequest,
    RewardResult,
    Task,
)
from sandbox.schema.tests import resolved

# So many unknown tasks are rows of their own in a request; more are a request about a task set that is not there.
_MAX_UNKNOWN = 32
# What is set of a program's submission.
_FIELDS = frozenset({"language", "code", "tests", "checker", "limits", "stop_on_failure", "priority"})

TaskLookup = Callable[[Sequence[str]], Mapping[str, Task]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One completion's way: what was found in it, and the index of its program, None when there is nothing to run.

    `usable` is False if the row has no reward, whatever the completion is; the message says why.
    """

    language: str
    tests: int
    weights: Sequence[float]
    length: int
    closed: bool = False
    program: int | None = None
    message: str = ""
    usable: bool = True


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
    """The programs of the completions that have one. Raises BadRequest, and whatever `lookup` raises.

    Rows that cannot be used are a bad request if all of them are.
    """
    tasks = _tasks(request, lookup)
    prompts = _prompts(request)
    candidates: list[Candidate] = []
    programs = _Programs()
    first: BadRequest | None = None
    for index, task in enumerate(tasks):
        try:
            candidate, program = _candidate(request, index, task, prompts[index])
        except BadRequest as error:
            first = first or error
            candidate, program = Candidate("", 0, [], 0, message=str(error), usable=False), None
        candidates.append(candidate if program is None else replace(candidate, program=programs.place_of(program)))
    if first is not None and not any(candidate.usable for candidate in candidates):
        raise first
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
        if not candidate.usable or (candidate.program is not None and result is None):
            rewards.append(None)
        else:
            rewards.append(score(plan.request.policy, _judged(plan, candidate, result)))
        details.append(_detail(candidate, result))
    return RewardResult(rewards=rewards, details=details)


def _found(references: Sequence[str], lookup: TaskLookup) -> Mapping[str, Task | NotFound]:
    """The tasks of these references, or why there is none. Raises NotFound if more than a few are unknown.

    They are asked for together; where one is unknown, each half by itself, and so on.
    """
    found: dict[str, Task | NotFound] = {}
    unknown = 0
    parts = [references]
    while parts:
        part = parts.pop()
        try:
            found |= lookup(part)
        except NotFound as error:
            if len(part) == 1:
                found[part[0]] = error
                unknown += 1
                if unknown > _MAX_UNKNOWN:
                    raise
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
    return found


def _tasks(request: RewardRequest, lookup: TaskLookup) -> list[Task | NotFound]:
    """The task of each completion, or why it has none."""
    tasks: list[Task | NotFound]
    if request.tasks is not None:
        known = _found(list(dict.fromkeys(request.tasks)), lookup) if request.tasks else {}
        tasks = [known[reference] for reference in request.tasks]
    else:
        every = request.tests or []
        weights: Sequence[list[float] | None] = request.weights or [None] * len(every)
        # Checked already, and a model built anew for every completion's tests costs as much as reading them.
        tasks = [
            Task.model_construct(tests=tests, entry_point="", weights=some, language=None, checker=None, limits=None)
            for tests, some in zip(every, weights, strict=True)
        ]
    return tasks * len(request.completions) if len(tasks) == 1 else tasks[: len(request.completions)]


def _prompts(request: RewardRequest) -> list[Prompt | None]:
    """The prompt of each completion, None where it is not known. A group's completions share theirs: read it once."""
    known = request.prompts or [None]
    read: dict[str | int, Prompt] = {}
    prompts: list[Prompt | None] = []
    for prompt in known:
        if prompt is None:
            prompts.append(None)
            continue
        key = prompt if isinstance(prompt, str) else id(prompt)
        if key not in read:
            read[key] = Prompt.of(prompt)
        prompts.append(read[key])
    return prompts * len(request.completions) if len(prompts) == 1 else prompts


def _language(request: RewardRequest, index: int, task: Task) -> str:
    return task.language or (request.language if isinstance(request.language, str) else request.language[index])


def _candidate(
    request: RewardRequest, index: int, task: Task | NotFound, prompt: Prompt | None
) -> tuple[Candidate, VerifyRequest | None]:
    """A completion's way and its program, if it has one. Raises BadRequest or NotFound for an unusable row."""
    if isinstance(task, NotFound):
        raise task
    language = _language(request, index, task)
    entry_point = _check_tests(request, index, task, language)
    chosen = request.policy.chosen(len(task.tests))
    weights = [task.weights[test] for test in chosen] if task.weights else []
    text = text_of(request.completions[index])
    response = _response(request, text, prompt)
    length = len(response or text) if request.lengths is None else request.lengths[index]
    answer = None if response is None else _answer(request, index, response, language, prompt or NO_PROMPT)
    why_not = UNKNOWN_RESPONSE if response is None else _why_not(answer, task, prompt or NO_PROMPT)
    if answer is None or why_not:
        return Candidate(language, len(chosen), weights, length, message=why_not), None
    verify = VerifyRequest.model_construct(
        _fields_set={*_FIELDS, "entry_point"} if entry_point else {*_FIELDS},
        language=answer.language,
        code=answer.code,
        tests=[resolved(task.tests[test], entry_point) for test in chosen],
        entry_point=_entry_point(entry_point, answer.code) if entry_point else "",
        checker=task.checker or request.checker,
        limits=task.limits or request.limits,
        # The first failure settles a binary reward.
        stop_on_failure=request.policy.name == "binary",
        priority=request.priority,
    )
    return Candidate(answer.language, len(chosen), weights, length, answer.closed), verify


def _check_tests(request: RewardRequest, index: int, task: Task, language: str) -> str:
    """Return the entry point of a row's tests. Raises BadRequest if the row cannot be used."""
    if request.problems is not None and request.problems[index]:
        raise BadRequest(request.problems[index], "tests")
    if not task.tests:
        raise BadRequest("a task has no tests; leave such tasks out of the data set", "tests")
    # A language that we lack is the caller's mistake, not the completion's.
    forked = named(tag_language(language)).forked if language else True
    if not forked and _calls(task):
        raise BadRequest("function, assert and pytest tests are for Python alone", "tests")
    given = request.entry_point if isinstance(request.entry_point, str) else request.entry_point[index]
    entry_point = task.entry_point or given
    if not entry_point and any(isinstance(test, FunctionTest) for test in task.tests):
        raise BadRequest(NO_ENTRY_POINT, "entry_point")
    if entry_point and not all(part.isidentifier() for part in entry_point.split(".")):
        raise BadRequest("entry_point must be a name, or a class and a method: Solution.twoSum", "entry_point")
    return entry_point


def _entry_point(name: str, code: str) -> str:
    """The name in this program: a method of its class Solution, unless the program defines the function itself."""
    if "." in name or "class Solution" not in code or re.search(rf"^(?:async )?def {name}\b", code, re.MULTILINE):
        return name
    return f"Solution.{name}"


def with_preamble(preamble: str, code: str) -> str:
    """Python source behind a preamble, which comes after the imports that have to be a program's first."""
    if "__future__" not in code or not parses(code):
        return f"{preamble.rstrip()}\n{code}"
    body = ast.parse(code).body
    ends = [node.end_lineno or 0 for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    lines = code.split("\n")
    end = max(ends, default=0)
    return "\n".join([*lines[:end], preamble.rstrip(), *lines[end:]])


def _response(request: RewardRequest, text: str, prompt: Prompt | None) -> str | None:
    """What the model wrote of a completion's text; None if that cannot be told."""
    text = text[-MAX_COMPLETION_CHARS:]
    if request.extract.prompt == "included":
        return response_after_turn(text) if prompt is None else prompt.response_in(text)
    return response_of_unknown(text) if prompt is None else response_in_turns(prompt.without_copy(text))


def _answer(request: RewardRequest, index: int, response: str, language: str, prompt: Prompt) -> Answer | None:
    """The answer in a response, behind the preamble of its row."""
    options = request.extract
    skipped = prompt.programs if options.prompt_code == "skip" else frozenset()
    answer = extract(prompt.continued(response, options.thinking_tag), language, options, skipped=skipped)
    preamble = request.preamble if isinstance(request.preamble, str) else request.preamble[index]
    if answer is None or not preamble or not _is_python(answer.language):
        return answer
    return replace(answer, code=with_preamble(preamble, answer.code))


def _is_python(name: str) -> bool:
    language = table().get(name)
    return language is not None and language.forked


def _calls(task: Task) -> bool:
    """Whether some of a task's tests call the program's functions, which is for Python alone."""
    return any(isinstance(test, FunctionTest | AssertTest | PytestTest) for test in task.tests)


def _why_not(answer: Answer | None, task: Task, prompt: Prompt) -> str:
    """Why nothing can be run, which is the completion's fault and must not spoil its batch; empty if it can."""
    if answer is None:
        return "no code in the completion" + (" that is not the prompt's" if prompt.programs else "")
    if len(answer.code) > MAX_CODE_CHARS:
        return f"code of over {MAX_CODE_CHARS} characters"
    try:
        named(answer.language)
    except UnknownLanguage:
        return "no telling in which language the code is; give `language`"
    if not _is_python(answer.language) and _calls(task):
        return "the tests call Python functions, and the code is in another language"
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
