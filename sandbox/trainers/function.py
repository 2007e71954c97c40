"""Compute the rewards of a batch of completions through a client. All trainer adapters use this module.

reward = RewardFunction(Client(), policy="fraction")
reward(["```python\\nprint(42)\\n```"], [[{"input": "", "output": "42\\n"}]])  # [1.0]
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypedDict, cast

from pydantic import ValidationError

from sandbox.errors import BadRequest, InfrastructureError, Refused
from sandbox.rewards.case_formats import TaskTests, read_tests
from sandbox.rewards.extraction import Completion, Extraction, get_completion_text, get_content_text
from sandbox.rewards.plan import RewardPlan, build_plan, score_results
from sandbox.rewards.policy import Policy
from sandbox.runner.contract import Verdict
from sandbox.schema import MAX_ITEMS, Checker, LimitsRequest, VerifyRequest, VerifyResult
from sandbox.schema.reward import MAX_COMPLETION_CHARS, RewardDetail, RewardRequest, RewardResult
from sandbox.trainers.lazy_clients import LazyAsyncClient, LazyClient
from sandbox.trainers.outage import OnOutage, OutagePolicy, OutageTracker, probe_service

logger = logging.getLogger(__name__)

ATTEMPTS = 3
MAX_SHOWN_CHARS = 40
TASK_REFERENCE = re.compile(r"[0-9a-f]{64}/.")
_SURROGATES = re.compile("[\ud800-\udfff]")
_SAMPLE_TEST = {"input": "", "output": ""}


class Verifier(Protocol):
    """The methods of `sandbox.client.Client` that a reward function needs."""

    def verify_batch(self, submissions: Sequence[VerifyRequest]) -> list[VerifyResult]: ...

    def reward(self, request: RewardRequest) -> RewardResult: ...


class AsyncVerifier(Protocol):
    """The methods of `sandbox.client.AsyncClient` that a reward function needs."""

    async def verify_batch(self, submissions: Sequence[VerifyRequest]) -> list[VerifyResult]: ...

    async def reward(self, request: RewardRequest) -> RewardResult: ...


class RewardOptions(TypedDict, total=False):
    """Options of a reward function. Most are fields of `RewardRequest`; models may be given as mappings.

    The last four control what happens while the service does not answer; see `sandbox.trainers.outage.OutagePolicy`.
    """

    policy: Policy | str | Mapping[str, Any]
    extract: Extraction | Mapping[str, Any]
    language: str
    entry_point: str
    preamble: str
    checker: Checker | Mapping[str, Any]
    limits: LimitsRequest | Mapping[str, Any]
    on_outage: OnOutage
    patience_s: float
    most_lost_batches: int
    check_service: bool


class PendingBatch(Protocol):
    """The state of one call across the requests that it sends."""

    def select_next(self) -> Any:
        """Return what to send next; empty or None when nothing is left."""

    def record_answer(self, answer: Any, /) -> None:
        """Record the answer to the last request. Infrastructure failures are sent again."""

    def give_up(self, error: Exception) -> None: ...

    def build_result(self) -> RewardResult: ...


class VerifyBatch:
    """The state of one call across its requests. A program whose verdict is an infrastructure failure is sent again."""

    def __init__(self, plan: RewardPlan) -> None:
        self._plan = plan
        self._results: list[VerifyResult | None] = [None] * len(plan.programs)
        self._left = list(range(len(plan.programs)))
        self._tries = [0] * len(plan.programs)
        self._sent: list[int] = []

    def select_next(self) -> list[VerifyRequest]:
        """Return the programs to verify next; empty if every program has a verdict or no attempts are left."""
        self._sent = self._left[:MAX_ITEMS]
        return [self._plan.programs[index] for index in self._sent]

    def record_answer(self, results: Sequence[VerifyResult]) -> None:
        if len(results) != len(self._sent):
            raise InfrastructureError(f"{len(results)} results for {len(self._sent)} programs")
        again = []
        for index, result in zip(self._sent, results, strict=True):
            self._results[index] = result
            self._tries[index] += 1
            if _is_infrastructure_failure(result) and self._tries[index] < ATTEMPTS:
                again.append(index)
        self._left = self._left[len(self._sent) :] + again

    def give_up(self, error: Exception) -> None:
        """Stop waiting for programs without a result; their rewards are None."""
        logger.warning("%d programs have no verdict: %s", len(self._left), error)
        self._left = []

    def build_result(self) -> RewardResult:
        result = score_results(self._plan, self._results)
        lost = sum(reward is None for reward in result.rewards)
        if lost:
            logger.warning("%d of %d rewards are None: infrastructure failure", lost, len(result.rewards))
        return result


class TaskRewardBatch:
    """The state of one call whose tests are task references. Only the service can resolve these."""

    def __init__(self, request: RewardRequest) -> None:
        self._request = request
        number = len(request.completions)
        self._rewards: list[float | None] = [None] * number
        self._details = [
            RewardDetail(answered=False, verdict=Verdict.INTERNAL_ERROR, message="the service did not answer")
        ] * number
        self._left = list(range(number))
        self._tries = 0
        self._sent: list[int] = []

    def select_next(self) -> RewardRequest | None:
        """Return a request for the rewards that are still missing; None if there are none or no attempts are left."""
        if not self._left or self._tries == ATTEMPTS:
            return None
        self._sent = self._left
        return self._select_part(self._sent)

    def record_answer(self, result: RewardResult) -> None:
        if len(result.rewards) != len(self._sent):
            raise InfrastructureError(f"{len(result.rewards)} rewards for {len(self._sent)} completions")
        self._tries += 1
        for index, reward, detail in zip(self._sent, result.rewards, result.details, strict=True):
            self._rewards[index], self._details[index] = reward, detail
        self._left = [index for index in self._sent if self._rewards[index] is None]

    def give_up(self, error: Exception) -> None:
        logger.warning("%d completions have no reward: %s", len(self._left), error)

    def build_result(self) -> RewardResult:
        if self._left:
            logger.warning("%d of %d rewards are None: infrastructure failure", len(self._left), len(self._rewards))
        return RewardResult(rewards=self._rewards, details=self._details)

    def _select_part(self, indices: Sequence[int]) -> RewardRequest:
        whole = self._request
        of_each = {"completions": whole.completions, "tasks": whole.tasks, "lengths": whole.lengths}
        if whole.prompts is not None and len(whole.prompts) == len(whole.completions):
            of_each["prompts"] = whole.prompts
        if isinstance(whole.language, list):
            of_each["language"] = whole.language
        parts = {name: [values[index] for index in indices] for name, values in of_each.items() if values is not None}
        return whole.model_copy(update=parts)


class _RewardFunctionBase:
    """Checks the options and tracks outages for both reward functions."""

    def __init__(self, client: object, options: RewardOptions | None) -> None:
        """Raises BadRequest for invalid options, and InfrastructureError if no service answers."""
        policy, fields = OutagePolicy.split_options(options or {})
        self._options = cast(RewardOptions, fields)
        build_reward_request(["-"], [[_SAMPLE_TEST]], self._options)
        url = str(getattr(client, "url", "its URL"))
        self._outages = OutageTracker(policy, url)
        if policy.check_service and isinstance(client, LazyClient | LazyAsyncClient):
            probe_service(url)


class RewardFunction(_RewardFunctionBase):
    """Returns rewards in the order of the completions, with None where the infrastructure failed.

    Each entry of `tests` may have any format that `case_formats.read_tests` reads. An entry in an unknown format gets
    the reward None and a detail that says why. Raises BadRequest for invalid options, or if none of the tests can be
    read.
    """

    def __init__(self, client: Verifier, options: RewardOptions | None = None) -> None:
        super().__init__(client, options)
        self._client = client

    def __call__(self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any) -> list[float | None]:
        return self.judge(completions, tests, **given).rewards

    def judge(self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any) -> RewardResult:
        """Return rewards with their details; `given` holds more `RewardRequest` fields, such as weights or lengths."""
        request = build_reward_request(completions, tests, self._options, **given)
        result = self._fetch_result(request)
        self._outages.record_rewards(result.rewards)
        return result

    def _fetch_result(self, request: RewardRequest) -> RewardResult:
        batch: PendingBatch = VerifyBatch(build_plan(request)) if request.tasks is None else TaskRewardBatch(request)
        send: Callable[[Any], Any] = self._client.verify_batch if request.tasks is None else self._client.reward
        patience = self._outages.start_batch()
        while payload := batch.select_next():
            try:
                batch.record_answer(send(payload))
            except (Refused, InfrastructureError) as error:
                pause_s = patience.compute_pause_s(error)
                if pause_s is None:
                    batch.give_up(error)
                    break
                time.sleep(pause_s)
            else:
                patience.record_answer()
        return batch.build_result()


class AsyncRewardFunction(_RewardFunctionBase):
    """The asyncio version of `RewardFunction`."""

    def __init__(self, client: AsyncVerifier, options: RewardOptions | None = None) -> None:
        super().__init__(client, options)
        self._client = client

    async def __call__(
        self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any
    ) -> list[float | None]:
        return (await self.judge(completions, tests, **given)).rewards

    async def judge(self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any) -> RewardResult:
        """Return rewards with their details; `given` holds more `RewardRequest` fields, such as weights or lengths."""
        request = build_reward_request(completions, tests, self._options, **given)
        result = await self._fetch_result(request)
        self._outages.record_rewards(result.rewards)
        return result

    async def _fetch_result(self, request: RewardRequest) -> RewardResult:
        batch: PendingBatch = VerifyBatch(build_plan(request)) if request.tasks is None else TaskRewardBatch(request)
        send: Callable[[Any], Any] = self._client.verify_batch if request.tasks is None else self._client.reward
        patience = self._outages.start_batch()
        while payload := batch.select_next():
            try:
                batch.record_answer(await send(payload))
            except (Refused, InfrastructureError) as error:
                pause_s = patience.compute_pause_s(error)
                if pause_s is None:
                    batch.give_up(error)
                    break
                await asyncio.sleep(pause_s)
            else:
                patience.record_answer()
        return batch.build_result()


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
    if prompts is not None and len(prompts) == len(completions):
        fields["prompts"] = [_clean_prompt(prompt) for prompt in prompts]
    if _are_references(tests):
        fields["tasks"] = list(tests)
    else:
        fields |= _build_test_fields(_read_distinct_tests(tests), fields)
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


def _read_distinct_tests(tests: Sequence[Any]) -> list[TaskTests | BadRequest]:
    """Return the tests of each completion, or the error that explains why there are none.

    The completions of a group share their tests, as one object or as equal text. Shared tests are read only once.
    """
    read: dict[Any, TaskTests | BadRequest] = {}
    for value in tests:
        key = value if isinstance(value, str) else id(value)
        if key not in read:
            try:
                read[key] = read_tests(value)
            except BadRequest as error:
                read[key] = error
    return [read[value if isinstance(value, str) else id(value)] for value in tests]


def _build_test_fields(task_tests: Sequence[TaskTests | BadRequest], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request with these tests. They override the given fields.

    Raises BadRequest if none of the tests can be read.
    """
    problems = ["" if isinstance(one, TaskTests) else str(one) for one in task_tests]
    if task_tests and all(problems):
        raise next(one for one in task_tests if isinstance(one, BadRequest))
    fields: dict[str, Any] = {"tests": [one.tests if isinstance(one, TaskTests) else [] for one in task_tests]}
    if any(problems):
        logger.warning("cannot read the tests of %d of %d tasks: %s", *_count_problems(problems))
        fields["problems"] = problems
    for name in ("entry_point", "preamble"):
        own = [getattr(one, name) if isinstance(one, TaskTests) else "" for one in task_tests]
        if any(own):
            default = given.get(name, "")
            fields[name] = [value or default for value in own] if isinstance(default, str) else default
    return fields


def _count_problems(problems: Sequence[str]) -> tuple[int, int, str]:
    return sum(map(bool, problems)), len(problems), next(filter(None, problems))


def require_result_rewards(result: RewardResult, missing: float | None) -> list[float]:
    """Return a result's rewards for a trainer that does not accept None: `missing` replaces it.

    Without `missing`, a row with unusable tests gets 0, which gives its group no advantage; a failure of the service
    raises InfrastructureError.
    """
    return [
        0.0 if missing is None and is_unusable(reward, detail) else _require_reward(reward, missing)
        for reward, detail in zip(result.rewards, result.details, strict=True)
    ]


def is_unusable(reward: float | None, detail: RewardDetail) -> bool:
    """Return whether a reward is missing because the row is unusable, rather than because the service failed."""
    return reward is None and detail.verdict is None


def require_rewards(rewards: Sequence[float | None], missing: float | None) -> list[float]:
    """Return rewards for a trainer that does not accept None. Raises InfrastructureError if one is missing."""
    return [_require_reward(reward, missing) for reward in rewards]


def _require_reward(reward: float | None, missing: float | None) -> float:
    if reward is not None:
        return reward
    if missing is not None:
        return missing
    raise InfrastructureError(
        "a reward is missing because the service failed, and this trainer cannot drop the sample: check "
        "/health/ready, or set `missing=` to the reward to use instead"
    )


def _is_infrastructure_failure(result: VerifyResult) -> bool:
    return any(test.verdict is Verdict.INTERNAL_ERROR for test in result.tests)
