"""Rewards over REST: completions and their tests in, rewards out; and sets of tasks, registered once, named by hash."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from sandbox.runner.contract import Verdict
from sandbox.schema.callbacks import CallbackUrl
from sandbox.schema.checkers import Checker, TokensChecker
from sandbox.schema.programs import (
    MAX_CODE_CHARS,
    MAX_ITEMS,
    MAX_NAME_CHARS,
    MAX_TESTS,
    Lane,
    LimitsRequest,
    TestCase,
    WireModel,
)
from sandbox.schema.reward_policy import Extraction, Policy, PolicyName
from sandbox.schema.tests import FunctionTest, RewardedTest

MAX_COMPLETION_CHARS = 8 << 20
MAX_TASKS = 100_000
NO_ENTRY_POINT_MESSAGE = "tests with args and no stdin call a function: name the entry_point"

Messages = list[Mapping[str, Any]]
Tests = Annotated[list[TestCase], Field(min_length=1, max_length=MAX_TESTS)]
RewardedTests = Annotated[list[RewardedTest], Field(min_length=1, max_length=MAX_TESTS)]
RewardedTestsOrEmpty = Annotated[list[RewardedTest], Field(max_length=MAX_TESTS)]
EntryPoint = Annotated[str, Field(max_length=MAX_NAME_CHARS)]
Preamble = Annotated[str, Field(max_length=MAX_CODE_CHARS)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
TaskName = Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
TaskReference = Annotated[str, Field(pattern=r"^[0-9a-f]{64}/.+$", max_length=64 + 1 + MAX_NAME_CHARS)]


def _expand_policy_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


PolicyChoice = Annotated[Policy, BeforeValidator(_expand_policy_name, json_schema_input_type=PolicyName | Policy)]


class Task(WireModel):
    """What completions are judged on. What is left out is the reward request's to say."""

    tests: RewardedTests
    entry_point: EntryPoint = Field("", description="`solve`, or `Solution.twoSum`, for function tests")
    weights: list[Weight] | None = Field(None, description="one for each test, for the policy weighted")
    language: str | None = Field(None, max_length=64)
    checker: Checker | None = None
    limits: LimitsRequest | None = None

    @model_validator(mode="after")
    def _check_tests(self) -> Task:
        if self.weights is not None and len(self.weights) != len(self.tests):
            raise ValueError("weights must have one for each test")
        if not self.entry_point and any(isinstance(test, FunctionTest) for test in self.tests):
            raise ValueError(NO_ENTRY_POINT_MESSAGE)
        return self


class TaskSet(WireModel):
    """Tasks by name. Registered under the SHA-256 of its JSON bytes; `<that>/<name>` then names a task."""

    tasks: dict[TaskName, Task] = Field(min_length=1, max_length=MAX_TASKS)

    @staticmethod
    def compute_id(body: bytes) -> str:
        """The id of the set with this JSON: what `sha256sum` says of the file."""
        return sha256(body).hexdigest()


class TaskSetInfo(WireModel):
    """What `PUT /tasks/{set}` answers."""

    id: str
    tasks: int


class RewardRequest(WireModel):
    """Completions to reward.

    `tests`, `weights` and `tasks` have one entry for each completion, or one for all of them. Give `tests` or `tasks`.
    """

    completions: list[str | Messages | None] = Field(
        max_length=MAX_ITEMS,
        description="texts, or chat messages, of which the assistant's last one counts; null: no completion",
    )
    prompts: list[str | Messages | None] | None = Field(
        None,
        description="one for each completion, or one for all; code that is also in the prompt is not the answer",
    )
    tests: list[RewardedTestsOrEmpty] | None = Field(
        None, description="one list for each completion, or one for all; a completion without tests has reward null"
    )
    problems: list[str] | None = Field(
        None, description="why the tests of a completion are unusable, which makes its reward null; empty if usable"
    )
    entry_point: EntryPoint | list[EntryPoint] = Field(
        "", description="for function tests: `solve`, or `Solution.twoSum`; one, or one for each completion"
    )
    preamble: Preamble | list[Preamble] = Field(
        "",
        description="Python source inserted before each program, after its `from __future__` imports; one, or one each",
    )
    weights: list[list[Weight]] | None = Field(None, description="with `tests`: one for each test")
    tasks: list[TaskReference] | None = Field(None, description="<set>/<name> of registered tasks, instead of `tests`")
    lengths: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, description="tokens of each completion, for the policy's length term; default: its characters"
    )
    policy: PolicyChoice = Policy()
    extract: Extraction = Extraction()
    language: str | list[str] = Field("python", description="one, or one for each completion; empty: its fence tells")
    checker: Checker = TokensChecker(type="tokens")
    limits: LimitsRequest = LimitsRequest()
    priority: Lane = Lane.RL
    callback_url: CallbackUrl | None = None

    @model_validator(mode="after")
    def _check_combination(self) -> RewardRequest:
        if (self.tests is None) == (self.tasks is None):
            raise ValueError("give tests or tasks, and not both")
        for name in ("tests", "tasks", "weights", "prompts"):
            self._check_count(name, (1, len(self.completions)))
        for name in ("lengths", "language", "entry_point", "preamble", "problems"):
            if not isinstance(getattr(self, name), str):
                self._check_count(name, (len(self.completions),))
        if self.weights is not None:
            self._check_weights(self.weights)
        return self

    def _check_count(self, name: str, allowed: tuple[int, ...]) -> None:
        value = getattr(self, name)
        if value is not None and self.completions and len(value) not in allowed:
            raise ValueError(f"{name} has {len(value)} entries for {len(self.completions)} completions")

    def _check_weights(self, weights: list[list[float]]) -> None:
        if self.tests is None or len(weights) != len(self.tests):
            raise ValueError("weights go with tests, a list for each list")
        if any(len(some) != len(tests) for some, tests in zip(weights, self.tests, strict=True)):
            raise ValueError("weights must have one for each test")


class RewardDetail(WireModel):
    """Why a reward is what it is. `verdict` is null for a completion that was not run."""

    answered: bool
    language: str = ""
    verdict: Verdict | None = None
    passed: int = 0
    total: int = 0
    message: str = ""


class RewardResult(WireModel):
    """What `POST /reward` answers, in the order of the completions. A null reward is our failure: drop the sample."""

    rewards: list[float | None]
    details: list[RewardDetail]
