"""Build the request for the rewards of a batch: completions and tests as a trainer has them, and options."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypedDict

from pydantic import ValidationError

from sandbox.errors import BadRequest
from sandbox.rewards.case_formats import TaskTests, read_tests
from sandbox.rewards.extraction import Completion, Extraction, get_completion_text, get_content_text
from sandbox.rewards.policy import Policy
from sandbox.schema import Checker, LimitsRequest
from sandbox.schema.reward import MAX_COMPLETION_CHARS, RewardRequest
from sandbox.schema.submissions import Isolation
from sandbox.trainers.outage import OnOutage

logger = logging.getLogger(__name__)

MAX_SHOWN_CHARS = 40
TASK_REFERENCE = re.compile(r"[0-9a-f]{64}/.")
_SURROGATES = re.compile("[\ud800-\udfff]")


class RewardOptions(TypedDict, total=False):
    """Options of a reward function. Most are fields of `RewardRequest`; models may be given as mappings.

    `run` names the training run whose history the page shows. Its default is the environment variable SANDBOX_RUN.

    The last four control what happens while the service does not answer; see `sandbox.trainers.outage.OutagePolicy`.
    """

    policy: Policy | str | Mapping[str, Any]
    extract: Extraction | Mapping[str, Any]
    language: str
    entry_point: str
    preamble: str
    checker: Checker | Mapping[str, Any]
    limits: LimitsRequest | Mapping[str, Any]
    stop_after_timeouts: int
    isolation: Isolation
    environment: str
    run: str
    on_outage: OnOutage
    patience_s: float
    most_lost_batches: int
    check_service: bool


def build_reward_request(
    completions: Sequence[Completion | None],
    tests: Sequence[Any],
    options: RewardOptions,
    *,
    prompts: Sequence[Any] | None = None,
    **given: Any,
) -> RewardRequest:
    """Build a request from completions and tests. Raises BadRequest.

    Tests may have any known format, or all of them may be references to registered tasks (`<set>/<name>`). `prompts`
    are texts or chat messages, or None where unknown.
    """
    if len(tests) != len(completions):
        raise BadRequest(f"got tests for {len(tests)} of {len(completions)} completions", "tests")
    fields: dict[str, Any] = {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in options.items()
    }
    fields |= {name: value for name, value in given.items() if value is not None}
    if run := _read_default_run():
        fields.setdefault("run", run)
    if prompts is not None and len(prompts) == len(completions):
        fields["prompts"] = [_clean_prompt(prompt) for prompt in prompts]
    if _are_references(tests):
        fields["tasks"] = list(tests)
    else:
        fields |= _build_test_fields(*_read_distinct_tests(tests), fields)
    try:
        return RewardRequest(completions=[_clean_completion(completion) for completion in completions], **fields)
    except ValidationError as error:
        raise BadRequest(f"invalid reward request: {_describe_faults(error)}") from None


def _describe_faults(error: ValidationError) -> str:
    """Describe each error with its field and, if it is short, its value."""
    faults = []
    for fault in error.errors(include_url=False, include_context=False):
        value = fault["input"]
        shown = f", not {value!r}" if isinstance(value, str | int | float) and len(str(value)) < MAX_SHOWN_CHARS else ""
        faults.append(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}{shown}")
    return "; ".join(faults)


def _are_references(tests: Sequence[Any]) -> bool:
    are = [isinstance(value, str) and TASK_REFERENCE.match(value) is not None for value in tests]
    if any(are) and not all(are):
        raise BadRequest("task references and tests cannot be mixed: the text of some tests is not JSON", "tests")
    return any(are)


def _clean_completion(completion: Any) -> str:
    """Return the completion's text in a form that JSON can carry. A broken completion must not fail its batch."""
    if not isinstance(completion, str | Sequence):
        return ""
    if not isinstance(completion, str):
        completion = [message for message in completion if isinstance(message, Mapping)]
    return _replace_surrogates(get_completion_text(completion)[-MAX_COMPLETION_CHARS:])


def _clean_prompt(prompt: Any) -> str | list[dict[str, Any]] | None:
    if isinstance(prompt, str):
        return _replace_surrogates(prompt)
    if not isinstance(prompt, Sequence):
        return None
    messages = [message for message in prompt if isinstance(message, Mapping)]
    return [
        {"role": str(message.get("role", "")), "content": _replace_surrogates(get_content_text(message.get("content")))}
        for message in messages
    ]


def _replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def _read_distinct_tests(tests: Sequence[Any]) -> tuple[list[TaskTests | BadRequest], list[int]]:
    """Return the distinct tests, or errors that explain why there are none, and the index of each completion's tests.

    The completions of a group share their tests, as one object or as equal text. Shared tests are read only once.
    """
    distinct: list[TaskTests | BadRequest] = []
    places: dict[Any, int] = {}
    for value in tests:
        key = value if isinstance(value, str) else id(value)
        if key not in places:
            places[key] = len(distinct)
            try:
                distinct.append(read_tests(value))
            except BadRequest as error:
                distinct.append(error)
    return distinct, [places[value if isinstance(value, str) else id(value)] for value in tests]


def _build_test_fields(
    distinct: Sequence[TaskTests | BadRequest], index: Sequence[int], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of a request with these tests. They override the given fields.

    Raises BadRequest if none of the tests can be read.
    """
    task_tests = [distinct[place] for place in index]
    problems = ["" if isinstance(one, TaskTests) else str(one) for one in task_tests]
    if task_tests and all(problems):
        raise next(one for one in task_tests if isinstance(one, BadRequest))
    fields = _build_lists_of_tests(distinct, index, has_weights="weights" in given)
    if any(problems):
        logger.warning("cannot read the tests of %d of %d tasks: %s", *_count_problems(problems))
        fields["problems"] = problems
    for name in ("entry_point", "preamble"):
        own = [getattr(one, name) if isinstance(one, TaskTests) else "" for one in task_tests]
        if any(own):
            default = given.get(name, "")
            fields[name] = [value or default for value in own] if isinstance(default, str) else default
            if len(set(fields[name])) == 1:
                fields[name] = fields[name][0]
    return fields


def _build_lists_of_tests(
    distinct: Sequence[TaskTests | BadRequest], index: Sequence[int], has_weights: bool
) -> dict[str, Any]:
    """Return the fields with the lists of tests. Given weights are in the order of the completions."""
    lists = [one.tests if isinstance(one, TaskTests) else [] for one in distinct]
    if has_weights or len(lists) == len(index):
        return {"tests": [lists[place] for place in index]}
    return {"tests": lists} if len(lists) == 1 else {"tests": lists, "tests_index": list(index)}


def _count_problems(problems: Sequence[str]) -> tuple[int, int, str]:
    return sum(map(bool, problems)), len(problems), next(filter(None, problems))


@cache
def _read_default_run() -> str:
    from sandbox.config import ClientSettings  # imported late, because a trainer may never build a request

    return ClientSettings().run
