"""Turn a reward request into programs to verify. Pure: the caller runs them, and `scoring` turns verdicts into rewards.

The plan records the program of every completion by index, or that it has none. Rewards are therefore in the order of
the completions, whatever the order in which verdicts arrive. Completions with the same program and tests share one
verdict. A problem with one row affects that row only: a completion without a program gets the reward that the policy
defines for this case, and a row with unusable tests gets None and a message that says why.
"""

from __future__ import annotations

import re
from dataclasses import replace

from sandbox.errors import BadRequest, NotFound, UnknownLanguage
from sandbox.languages import find_language, get_language, load_languages
from sandbox.rewards.extraction import Answer, extract, get_completion_text, tag_language
from sandbox.rewards.hack_plan import build_hack_plan, find_hack
from sandbox.rewards.planned import PlannedCompletion as PlannedCompletion
from sandbox.rewards.planned import RewardPlan as RewardPlan
from sandbox.rewards.preamble import insert_preamble
from sandbox.rewards.prompts import (
    NO_PROMPT,
    UNKNOWN_RESPONSE,
    Prompt,
    find_response_after_turn,
    find_response_in_turns,
    find_response_without_prompt,
)
from sandbox.rewards.task_lookup import TaskLookup, resolve_tasks
from sandbox.schema import (
    MAX_CODE_CHARS,
    AssertTest,
    FunctionTest,
    PytestTest,
    VerifyRequest,
)
from sandbox.schema.reward import (
    MAX_COMPLETION_CHARS,
    NO_ENTRY_POINT_MESSAGE,
    RewardRequest,
    Task,
)
from sandbox.schema.tests import resolve_test

# The fields that are set in each submission.
_SUBMISSION_FIELDS = frozenset({"language", "code", "tests", "checker", "limits", "stop_on_failure", "priority"})


def build_plan(request: RewardRequest, lookup: TaskLookup) -> RewardPlan:
    """Plan the programs of all completions. Raises BadRequest, and whatever `lookup` raises.

    Unusable rows make the whole request a bad request only if all rows are unusable.
    """
    if request.hacks is not None:
        return build_hack_plan(request, request.spread(request.hacks))
    tasks = resolve_tasks(request, lookup)
    if request.policy.name == "hack":
        return build_hack_plan(request, [find_hack(task) for task in tasks])
    prompts = _read_prompts(request)
    candidates: list[PlannedCompletion] = []
    programs = _UniquePrograms()
    first: BadRequest | None = None
    for index, task in enumerate(tasks):
        try:
            candidate, program = _plan_completion(request, index, task, prompts[index])
        except BadRequest as error:
            first = first or error
            message = _describe_unusable(error, request, index, task)
            candidate, program = PlannedCompletion("", 0, [], 0, message=message, usable=False), None
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
    is_shared = request.isolation == "shared"
    max_timeouts = request.stop_after_timeouts
    verify = VerifyRequest.model_construct(
        _fields_set={
            *_SUBMISSION_FIELDS,
            *(["entry_point"] * bool(entry_point)),
            *(["isolation"] * is_shared),
            *(["environment"] * bool(request.environment)),
            *(["stop_after_timeouts"] * (max_timeouts is not None)),
        },
        language=answer.language,
        code=answer.code,
        tests=[resolve_test(task.tests[test], entry_point) for test in counted_tests],
        entry_point=_resolve_entry_point(entry_point, answer.code) if entry_point else "",
        checker=task.checker or request.checker,
        limits=task.limits or request.limits,
        # The first failure settles a binary reward.
        stop_on_failure=request.policy.name == "binary",
        stop_after_timeouts=max_timeouts,
        isolation=request.isolation,
        environment=request.environment,
        priority=request.priority,
    )
    return PlannedCompletion(answer.language, len(counted_tests), weights, length, answer.closed), verify


def _describe_unusable(error: BadRequest, request: RewardRequest, index: int, task: Task | NotFound) -> str:
    """Return why a row cannot be used. The error of an unknown language does not quote it, so it is added."""
    if isinstance(error, UnknownLanguage) and not isinstance(task, NotFound):
        return f"{_select_language(request, index, task)}: {error}"
    return str(error)


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
    if find_language(answer.language) is None:
        return "cannot detect the language of the code; set `language`"
    if not _is_python(answer.language) and _has_call_tests(task):
        return "the tests call Python functions, but the code is in another language"
    return ""
