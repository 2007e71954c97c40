"""Turn a reward request into programs to verify, and their verdicts into rewards. Pure: the caller runs the programs.

The plan records the program of every completion by index, or that it has none. Rewards are therefore in the order of
the completions, whatever the order in which verdicts arrive. Completions with the same program and tests share one
verdict. A problem with one row affects that row only: a completion without a program gets the reward that the policy
defines for this case, and a row with unusable tests gets None and a message that says why.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandbox.errors import BadRequest, NotFound, UnknownLanguage
from sandbox.languages import get_language, load_languages
from sandbox.rewards.extraction import Answer, extract, get_completion_text, parses, tag_language
from sandbox.rewards.policy import CompletionResult, score
from sandbox.rewards.prompts import (
    NO_PROMPT,
    UNKNOWN_RESPONSE,
    Prompt,
    find_response_after_turn,
    find_response_in_turns,
    find_response_without_prompt,
)
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
    NO_ENTRY_POINT_MESSAGE,
    RewardDetail,
    RewardRequest,
    RewardResult,
    Task,
)
from sandbox.schema.tests import resolve_test

# A request with more unknown tasks than this fails as a whole: most likely its task set does not exist.
_MAX_UNKNOWN_TASKS = 32
# The fields that are set in each submission.
_SUBMISSION_FIELDS = frozenset({"language", "code", "tests", "checker", "limits", "stop_on_failure", "priority"})

TaskLookup = Callable[[Sequence[str]], Mapping[str, Task]]


@dataclass(frozen=True, slots=True)
class PlannedCompletion:
    """What the plan found in one completion, and the index of its program, or None if there is nothing to run.

    If `usable` is False, the row has no reward, whatever the completion is, and `message` says why.
    """

    language: str
    test_count: int
    weights: Sequence[float]
    length: int
    fence_closed: bool = False
    program_index: int | None = None
    message: str = ""
    usable: bool = True


@dataclass(frozen=True, slots=True)
class RewardPlan:
    """The programs to verify, and what is needed to turn their verdicts into rewards."""

    request: RewardRequest
    completions: list[PlannedCompletion]
    programs: list[VerifyRequest]


def refuse_task_lookup(references: Sequence[str]) -> Mapping[str, Task]:
    """Reject task references: the lookup for callers without task sets."""
    raise BadRequest("only the service can look up tasks: send `tests` instead, or use POST /reward", field="tasks")


def build_plan(request: RewardRequest, lookup: TaskLookup = refuse_task_lookup) -> RewardPlan:
    """Plan the programs of all completions. Raises BadRequest, and whatever `lookup` raises.

    Unusable rows make the whole request a bad request only if all rows are unusable.
    """
    tasks = _resolve_tasks(request, lookup)
    prompts = _read_prompts(request)
    candidates: list[PlannedCompletion] = []
    programs = _UniquePrograms()
    first: BadRequest | None = None
    for index, task in enumerate(tasks):
        try:
            candidate, program = _plan_completion(request, index, task, prompts[index])
        except BadRequest as error:
            first = first or error
            candidate, program = PlannedCompletion("", 0, [], 0, message=str(error), usable=False), None
        candidates.append(candidate if program is None else replace(candidate, program_index=programs.add(program)))
    if first is not None and not any(candidate.usable for candidate in candidates):
        raise first
    return RewardPlan(request, candidates, programs.programs)


class _UniquePrograms:
    """The distinct programs of a plan. Completions of one prompt are often equal, and then share a verdict."""

    def __init__(self) -> None:
        self.programs: list[VerifyRequest] = []
        self._indices_by_code: dict[str, list[int]] = {}

    def add(self, program: VerifyRequest) -> int:
        same_code = self._indices_by_code.setdefault(program.code, [])
        for place in same_code:
            if self.programs[place] == program:
                return place
        same_code.append(len(self.programs))
        self.programs.append(program)
        return same_code[-1]


def score_results(plan: RewardPlan, results: Sequence[VerifyResult | None]) -> RewardResult:
    """Return the rewards in the order of the completions. `results` are in program order; None marks a lost result."""
    if len(results) != len(plan.programs):
        raise ValueError(f"{len(results)} results for {len(plan.programs)} programs")
    rewards: list[float | None] = []
    details: list[RewardDetail] = []
    for candidate in plan.completions:
        result = None if candidate.program_index is None else results[candidate.program_index]
        if not candidate.usable or (candidate.program_index is not None and result is None):
            rewards.append(None)
        else:
            rewards.append(score(plan.request.policy, _build_completion_result(plan, candidate, result)))
        details.append(_build_detail(candidate, result))
    return RewardResult(rewards=rewards, details=details)


def score_stored_request(
    request_json: bytes, results: Sequence[VerifyResult], *, look_up_tasks: TaskLookup
) -> RewardResult:
    """Return the rewards of a stored request. Planning is deterministic, so the results match its completions."""
    return score_results(build_plan(RewardRequest.model_validate_json(request_json), look_up_tasks), results)


def _look_up_tasks(references: Sequence[str], lookup: TaskLookup) -> Mapping[str, Task | NotFound]:
    """Return each task, or the error if it is unknown. Raises NotFound if more than `_MAX_UNKNOWN_TASKS` are unknown.

    Looks up all references at once. If the lookup fails, looks up each half separately, and so on.
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
                if unknown > _MAX_UNKNOWN_TASKS:
                    raise
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]
    return found


def _resolve_tasks(request: RewardRequest, lookup: TaskLookup) -> list[Task | NotFound]:
    """Return the task of each completion, or the error that explains why it has none."""
    tasks: list[Task | NotFound]
    if request.tasks is not None:
        known = _look_up_tasks(list(dict.fromkeys(request.tasks)), lookup) if request.tasks else {}
        tasks = [known[reference] for reference in request.tasks]
    else:
        every = request.tests or []
        weights: Sequence[list[float] | None] = request.weights or [None] * len(every)
        # The tests were validated already. Building the models again for every completion costs as much as parsing
        # them.
        tasks = [
            Task.model_construct(tests=tests, entry_point="", weights=some, language=None, checker=None, limits=None)
            for tests, some in zip(every, weights, strict=True)
        ]
    return tasks * len(request.completions) if len(tasks) == 1 else tasks[: len(request.completions)]


def _read_prompts(request: RewardRequest) -> list[Prompt | None]:
    """Return the prompt of each completion, or None if unknown. A prompt that a group shares is parsed only once."""
    known = request.prompts or [None]
    read: dict[str | int, Prompt] = {}
    prompts: list[Prompt | None] = []
    for prompt in known:
        if prompt is None:
            prompts.append(None)
            continue
        key = prompt if isinstance(prompt, str) else id(prompt)
        if key not in read:
            read[key] = Prompt.parse(prompt)
        prompts.append(read[key])
    return prompts * len(request.completions) if len(prompts) == 1 else prompts


def _select_language(request: RewardRequest, index: int, task: Task) -> str:
    return task.language or (request.language if isinstance(request.language, str) else request.language[index])


def _plan_completion(
    request: RewardRequest, index: int, task: Task | NotFound, prompt: Prompt | None
) -> tuple[PlannedCompletion, VerifyRequest | None]:
    """Plan one completion and its program, if it has one. Raises BadRequest or NotFound for an unusable row."""
    if isinstance(task, NotFound):
        raise task
    language = _select_language(request, index, task)
    entry_point = _check_tests(request, index, task, language)
    counted_tests = request.policy.select_tests(len(task.tests))
    weights = [task.weights[test] for test in counted_tests] if task.weights else []
    text = get_completion_text(request.completions[index])
    response = _find_response(request, text, prompt)
    length = len(response or text) if request.lengths is None else request.lengths[index]
    answer = None if response is None else _extract_answer(request, index, response, language, prompt or NO_PROMPT)
    problem = UNKNOWN_RESPONSE if response is None else _explain_unrunnable(answer, task, prompt or NO_PROMPT)
    if answer is None or problem:
        return PlannedCompletion(language, len(counted_tests), weights, length, message=problem), None
    verify = VerifyRequest.model_construct(
        _fields_set={*_SUBMISSION_FIELDS, "entry_point"} if entry_point else {*_SUBMISSION_FIELDS},
        language=answer.language,
        code=answer.code,
        tests=[resolve_test(task.tests[test], entry_point) for test in counted_tests],
        entry_point=_resolve_entry_point(entry_point, answer.code) if entry_point else "",
        checker=task.checker or request.checker,
        limits=task.limits or request.limits,
        # The first failure settles a binary reward.
        stop_on_failure=request.policy.name == "binary",
        priority=request.priority,
    )
    return PlannedCompletion(answer.language, len(counted_tests), weights, length, answer.closed), verify


def _check_tests(request: RewardRequest, index: int, task: Task, language: str) -> str:
    """Return the entry point of a row's tests. Raises BadRequest if the row cannot be used."""
    if request.problems is not None and request.problems[index]:
        raise BadRequest(request.problems[index], "tests")
    if not task.tests:
        raise BadRequest("a task has no tests; leave such tasks out of the data set", "tests")
    # An unknown language is the caller's mistake, not the completion's.
    forked = get_language(tag_language(language)).forked if language else True
    if not forked and _has_call_tests(task):
        raise BadRequest("function, assert and pytest tests require Python", "tests")
    given = request.entry_point if isinstance(request.entry_point, str) else request.entry_point[index]
    entry_point = task.entry_point or given
    if not entry_point and any(isinstance(test, FunctionTest) for test in task.tests):
        raise BadRequest(NO_ENTRY_POINT_MESSAGE, "entry_point")
    if entry_point and not all(part.isidentifier() for part in entry_point.split(".")):
        raise BadRequest("entry_point must be a name, or a class and a method: Solution.twoSum", "entry_point")
    return entry_point


def _resolve_entry_point(name: str, code: str) -> str:
    """Return the name to call: a method of class Solution, unless the program defines the function itself."""
    if "." in name or "class Solution" not in code or re.search(rf"^(?:async )?def {name}\b", code, re.MULTILINE):
        return name
    return f"Solution.{name}"


def insert_preamble(preamble: str, code: str) -> str:
    """Insert a preamble before Python source, but after its `from __future__` imports, which must come first."""
    if "__future__" not in code or not parses(code):
        return f"{preamble.rstrip()}\n{code}"
    body = ast.parse(code).body
    ends = [node.end_lineno or 0 for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    lines = code.split("\n")
    end = max(ends, default=0)
    return "\n".join([*lines[:end], preamble.rstrip(), *lines[end:]])


def _find_response(request: RewardRequest, text: str, prompt: Prompt | None) -> str | None:
    """Return the part of the text that the model wrote, or None if it cannot be separated from the prompt."""
    text = text[-MAX_COMPLETION_CHARS:]
    if request.extract.prompt == "included":
        return find_response_after_turn(text) if prompt is None else prompt.find_response(text)
    return find_response_without_prompt(text) if prompt is None else find_response_in_turns(prompt.strip_copy(text))


def _extract_answer(request: RewardRequest, index: int, response: str, language: str, prompt: Prompt) -> Answer | None:
    """Extract the answer of a response, and insert the preamble of its row."""
    options = request.extract
    skipped = prompt.code_fingerprints if options.prompt_code == "skip" else frozenset()
    answer = extract(prompt.prepend_open_fence(response, options.thinking_tag), language, options, skipped=skipped)
    preamble = request.preamble if isinstance(request.preamble, str) else request.preamble[index]
    if answer is None or not preamble or not _is_python(answer.language):
        return answer
    return replace(answer, code=insert_preamble(preamble, answer.code))


def _is_python(name: str) -> bool:
    language = load_languages().get(name)
    return language is not None and language.forked


def _has_call_tests(task: Task) -> bool:
    """Return whether any test of a task calls the program's functions, which only Python supports."""
    return any(isinstance(test, FunctionTest | AssertTest | PytestTest) for test in task.tests)


def _explain_unrunnable(answer: Answer | None, task: Task, prompt: Prompt) -> str:
    """Return why the completion has nothing to run, or an empty string. This affects one row, not the batch."""
    if answer is None:
        return "no code in the completion" + (" besides the prompt's own" if prompt.code_fingerprints else "")
    if len(answer.code) > MAX_CODE_CHARS:
        return f"the code is longer than {MAX_CODE_CHARS} characters"
    try:
        get_language(answer.language)
    except UnknownLanguage:
        return "cannot detect the language of the code; set `language`"
    if not _is_python(answer.language) and _has_call_tests(task):
        return "the tests call Python functions, but the code is in another language"
    return ""


def _build_completion_result(
    plan: RewardPlan, candidate: PlannedCompletion, result: VerifyResult | None
) -> CompletionResult:
    return CompletionResult(
        answered=candidate.program_index is not None,
        verdicts=[] if result is None else _list_verdicts(result),
        parses=result is None or _is_program(plan, candidate, result),
        weights=candidate.weights,
        well_formed=candidate.fence_closed,
        length=candidate.length,
    )


def _list_verdicts(result: VerifyResult) -> list[Verdict]:
    """Return the verdict of each test. After an infrastructure failure, or if tests are missing, all are internal
    errors.
    """
    if result.verdict is Verdict.INTERNAL_ERROR or len(result.tests) != result.total:
        return [Verdict.INTERNAL_ERROR] * max(1, result.total)
    return [test.verdict for test in result.tests]


def _is_program(plan: RewardPlan, candidate: PlannedCompletion, result: VerifyResult) -> bool:
    """Return whether the code parses. Code that does not parse fails every test, so only then is it checked here."""
    if plan.request.policy.name != "x-coder" or candidate.language != "python" or candidate.program_index is None:
        return True
    failed = all(test.verdict is Verdict.RUNTIME_ERROR for test in result.tests)
    return not failed or parses(plan.programs[candidate.program_index].code)


def _build_detail(candidate: PlannedCompletion, result: VerifyResult | None) -> RewardDetail:
    if result is None:
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
        verdict=result.verdict,
        passed=result.passed,
        total=result.total,
        message=next((test.message for test in result.tests if test.message), ""),
    )
