"""Rewards of a batch of completions, over a client: what every trainer's adapter calls.

reward = RewardFunction(Client(), policy="fraction")
reward(["```python\\nprint(42)\\n```"], [[{"input": "", "output": "42\\n"}]])  # [1.0]
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypedDict

from pydantic import ValidationError

from sandbox.errors import BadRequest, InfrastructureError, Refused
from sandbox.rewards.cases import cases_of
from sandbox.rewards.extract import Completion, Extraction, text_of
from sandbox.rewards.request import Plan, rewards_of, verify_requests
from sandbox.rewards.score import Policy
from sandbox.runner.contract import Verdict
from sandbox.schema import MAX_ITEMS, Checker, LimitsRequest, TestCase, VerifyRequest, VerifyResult
from sandbox.schema.reward import MAX_COMPLETION_CHARS, RewardDetail, RewardRequest, RewardResult

logger = logging.getLogger(__name__)

ATTEMPTS = 3
REFERENCE = re.compile(r"[0-9a-f]{64}/.")


class Verifier(Protocol):
    """What is needed of a `sandbox.client.Client`."""

    def verify_batch(self, submissions: Sequence[VerifyRequest]) -> list[VerifyResult]: ...

    def reward(self, request: RewardRequest) -> RewardResult: ...


class AsyncVerifier(Protocol):
    """What is needed of a `sandbox.client.AsyncClient`."""

    async def verify_batch(self, submissions: Sequence[VerifyRequest]) -> list[VerifyResult]: ...

    async def reward(self, request: RewardRequest) -> RewardResult: ...


class Options(TypedDict, total=False):
    """How to reward; each is a field of `RewardRequest`, and may be given as a mapping of its fields."""

    policy: Policy | str | Mapping[str, Any]
    extract: Extraction | Mapping[str, Any]
    language: str
    checker: Checker | Mapping[str, Any]
    limits: LimitsRequest | Mapping[str, Any]


class Batch:
    """One call's state between the rounds it takes: a program with our failure for a verdict is sent again."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._results: list[VerifyResult | None] = [None] * len(plan.programs)
        self._left = list(range(len(plan.programs)))
        self._tries = [0] * len(plan.programs)
        self._sent: list[int] = []

    def next(self) -> list[VerifyRequest]:
        """The programs to verify now; none when all is said, or no more can be."""
        self._sent = self._left[:MAX_ITEMS]
        return [self._plan.programs[index] for index in self._sent]

    def take(self, results: Sequence[VerifyResult]) -> None:
        if len(results) != len(self._sent):
            raise InfrastructureError(f"{len(results)} results for {len(self._sent)} programs")
        again = []
        for index, result in zip(self._sent, results, strict=True):
            self._results[index] = result
            self._tries[index] += 1
            if _is_ours(result) and self._tries[index] < ATTEMPTS:
                again.append(index)
        self._left = self._left[len(self._sent) :] + again

    def give_up(self, error: Exception) -> None:
        """The client has tried for as long as it would: what has no result stays without."""
        logger.warning("%d programs have no verdict: %s", len(self._left), error)
        self._left = []

    def result(self) -> RewardResult:
        result = rewards_of(self._plan, self._results)
        lost = sum(reward is None for reward in result.rewards)
        if lost:
            logger.warning("%d of %d rewards are None, the infrastructure failed", lost, len(result.rewards))
        return result


class TaskBatch:
    """One call's state where the tests are named tasks, which the service alone knows: it is asked for the rewards."""

    def __init__(self, request: RewardRequest) -> None:
        self._request = request
        number = len(request.completions)
        self._rewards: list[float | None] = [None] * number
        self._details = [RewardDetail(answered=False, message="the service did not answer")] * number
        self._left = list(range(number))
        self._tries = 0
        self._sent: list[int] = []

    def next(self) -> RewardRequest | None:
        """The completions whose reward is still missing; None when all is said, or no more can be."""
        if not self._left or self._tries == ATTEMPTS:
            return None
        self._tries += 1
        self._sent = self._left
        return self._part(self._sent)

    def take(self, result: RewardResult) -> None:
        if len(result.rewards) != len(self._sent):
            raise InfrastructureError(f"{len(result.rewards)} rewards for {len(self._sent)} completions")
        for index, reward, detail in zip(self._sent, result.rewards, result.details, strict=True):
            self._rewards[index], self._details[index] = reward, detail
        self._left = [index for index in self._sent if self._rewards[index] is None]

    def give_up(self, error: Exception) -> None:
        logger.warning("%d completions have no reward: %s", len(self._left), error)

    def result(self) -> RewardResult:
        if self._left:
            logger.warning("%d of %d rewards are None, the infrastructure failed", len(self._left), len(self._rewards))
        return RewardResult(rewards=self._rewards, details=self._details)

    def _part(self, indices: Sequence[int]) -> RewardRequest:
        whole = self._request
        of_each = {"completions": whole.completions, "tasks": whole.tasks, "lengths": whole.lengths}
        if isinstance(whole.language, list):
            of_each["language"] = whole.language
        parts = {name: [values[index] for index in indices] for name, values in of_each.items() if values is not None}
        return whole.model_copy(update=parts)


class RewardFunction:
    """Rewards, in the order of the completions; None for those that our failure kept from a verdict.

    Each entry of `tests` is in any shape that `cases.cases_of` reads. Raises BadRequest for tests or options that
    cannot be.
    """

    def __init__(self, client: Verifier, options: Options | None = None) -> None:
        self._client = client
        self._options: Options = options or {}

    def __call__(self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any) -> list[float | None]:
        return self.judge(completions, tests, **given).rewards

    def judge(self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any) -> RewardResult:
        """Rewards with their details; `given` are more fields of `RewardRequest`, such as weights or lengths."""
        request = reward_request(completions, tests, self._options, **given)
        if request.tasks is not None:
            return self._by_tasks(TaskBatch(request))
        batch = Batch(verify_requests(request))
        try:
            while programs := batch.next():
                batch.take(self._client.verify_batch(programs))
        except (Refused, InfrastructureError) as error:
            batch.give_up(error)
        return batch.result()

    def _by_tasks(self, batch: TaskBatch) -> RewardResult:
        try:
            while (request := batch.next()) is not None:
                batch.take(self._client.reward(request))
        except (Refused, InfrastructureError) as error:
            batch.give_up(error)
        return batch.result()


class AsyncRewardFunction:
    """`RewardFunction` for asyncio."""

    def __init__(self, client: AsyncVerifier, options: Options | None = None) -> None:
        self._client = client
        self._options: Options = options or {}

    async def __call__(
        self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any
    ) -> list[float | None]:
        return (await self.judge(completions, tests, **given)).rewards

    async def judge(self, completions: Sequence[Completion], tests: Sequence[Any], **given: Any) -> RewardResult:
        """Rewards with their details; `given` are more fields of `RewardRequest`, such as weights or lengths."""
        request = reward_request(completions, tests, self._options, **given)
        if request.tasks is not None:
            return await self._by_tasks(TaskBatch(request))
        batch = Batch(verify_requests(request))
        try:
            while programs := batch.next():
                batch.take(await self._client.verify_batch(programs))
        except (Refused, InfrastructureError) as error:
            batch.give_up(error)
        return batch.result()

    async def _by_tasks(self, batch: TaskBatch) -> RewardResult:
        try:
            while (request := batch.next()) is not None:
                batch.take(await self._client.reward(request))
        except (Refused, InfrastructureError) as error:
            batch.give_up(error)
        return batch.result()


def reward_request(
    completions: Sequence[Completion], tests: Sequence[Any], options: Options, **given: Any
) -> RewardRequest:
    """Completions and tests as a request. Raises BadRequest.

    Tests are in any known shape, or all of them references to registered tasks, `<set>/<name>`.
    """
    if len(tests) != len(completions):
        raise BadRequest(f"tests for {len(tests)} of {len(completions)} completions", "tests")
    fields: dict[str, Any] = {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in options.items()
    }
    fields |= {name: value for name, value in given.items() if value is not None}
    if _are_references(tests):
        fields["tasks"] = list(tests)
    else:
        fields["tests"] = _read_once(tests)
    try:
        return RewardRequest(completions=[_sendable(completion) for completion in completions], **fields)
    except ValidationError as error:
        raise BadRequest(f"a reward that cannot be: {error}") from None


def _are_references(tests: Sequence[Any]) -> bool:
    return bool(tests) and all(isinstance(value, str) and REFERENCE.match(value) for value in tests)


def _sendable(completion: Completion) -> str:
    """The completion's text as one that JSON can carry: what one completion gets wrong must not spoil its batch."""
    text = text_of(completion)[-MAX_COMPLETION_CHARS:]
    return text if text.isascii() else text.encode(errors="replace").decode()  # lone surrogates


def _read_once(tests: Sequence[Any]) -> list[list[TestCase]]:
    """Tests of each completion. A group's completions share theirs, as one object or as equal text: read it once."""
    read: dict[Any, list[TestCase]] = {}
    every = []
    for value in tests:
        key = value if isinstance(value, str) else id(value)
        if key not in read:
            read[key] = cases_of(value)
        every.append(read[key])
    return every


def numbers(rewards: Sequence[float | None], missing: float | None) -> list[float]:
    """Rewards for a trainer that knows no None: `missing` stands in for it. Raises InfrastructureError without one."""
    return [_number(reward, missing) for reward in rewards]


def _number(reward: float | None, missing: float | None) -> float:
    if reward is not None:
        return reward
    if missing is not None:
        return missing
    raise InfrastructureError(
        "a reward is missing because the service failed, and this trainer cannot drop the sample: look at "
        "/health/ready, or name the reward to use instead with `missing=`"
    )


def _is_ours(result: VerifyResult) -> bool:
    return any(test.verdict is Verdict.INTERNAL_ERROR for test in result.tests)
