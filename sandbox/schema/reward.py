"""Rewards over REST: reward requests and results, and task sets, which are registered once and named by their hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, model_validator

from sandbox.runner.contract import Verdict
from sandbox.schema.callbacks import CallbackUrl
from sandbox.schema.checkers import Checker, TokensChecker
from sandbox.schema.hack import MAX_TRUSTED, HackProgram, HackTask
from sandbox.schema.programs import (
    MAX_CODE_CHARS,
    MAX_ITEMS,
    MAX_NAME_CHARS,
    MAX_TESTS,
    EnvironmentReference,
    Lane,
    LimitsRequest,
    TestCase,
    WireModel,
)
from sandbox.schema.reward_policy import Extraction, Policy, PolicyName
from sandbox.schema.runs import RunName
from sandbox.schema.submissions import Isolation
from sandbox.schema.task_quality import TaskQuality
from sandbox.schema.tests import FunctionTest, RewardedTest
from sandbox.schema.wire import IMAGE_TIME, STOP_AFTER_TIMEOUTS

MAX_COMPLETION_CHARS = 8 << 20
MAX_TASKS = 100_000
NO_ENTRY_POINT_MESSAGE = "a test with args and no stdin calls a function: set entry_point to its name"

Entry = TypeVar("Entry")

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
    """The tests of a programming task. Fields that are left out are taken from the reward request."""

    tests: RewardedTests
    entry_point: EntryPoint = Field(
        "", description="`solve` or `Solution.twoSum`: the function that function tests call"
    )
    weights: list[Weight] | None = Field(None, description="for the policy weighted: one weight per test")
    language: str | None = Field(None, max_length=64)
    checker: Checker | None = None
    limits: LimitsRequest | None = None
    validators: list[HackProgram] = Field(
        default_factory=list, max_length=MAX_TRUSTED, description="programs that accept a valid input"
    )
    references: list[HackProgram] = Field(default_factory=list, max_length=MAX_TRUSTED, description="right programs")
    target: HackProgram | None = Field(None, description="for the policy hack: the program to break")
    quality: TaskQuality | None = None

    @model_validator(mode="after")
    def _check_tests(self) -> Task:
        if self.quality is not None and max(self.quality.smallest_suite, default=0) >= len(self.tests):
            raise ValueError("quality.smallest_suite has positions beyond the tests")
        if self.weights is not None and len(self.weights) != len(self.tests):
            raise ValueError("weights must have one entry per test")
        if not self.entry_point and any(isinstance(test, FunctionTest) for test in self.tests):
            raise ValueError(NO_ENTRY_POINT_MESSAGE)
        return self

    def keep_smallest_suite(self) -> Task:
        """Return the task with the tests of its smallest suite only, or itself if it has none."""
        kept = sorted(set(self.quality.smallest_suite)) if self.quality is not None else []
        if not kept:
            return self
        changed: dict[str, Any] = {"tests": [self.tests[position] for position in kept], "quality": None}
        if self.weights is not None:
            changed["weights"] = [self.weights[position] for position in kept]
        return self.model_copy(update=changed)


class TaskSet(WireModel):
    """Tasks by name. A set is registered under its id, the SHA-256 of its JSON; `<id>/<name>` names a task of it."""

    tasks: dict[TaskName, Task] = Field(min_length=1, max_length=MAX_TASKS)

    @staticmethod
    def compute_id(body: bytes) -> str:
        """Return the id of the set with this JSON, as `sha256sum` prints it for the file."""
        return sha256(body).hexdigest()


class TaskSetInfo(WireModel):
    """The answer of `PUT /tasks/{set}`."""

    id: str
    tasks: int


class RewardRequest(WireModel):
    """Completions to reward.

    `tests`, `weights` and `tasks` have one entry per completion, or one for all. With `tests_index`, `tests` and
    `weights` have one entry per distinct list of tests. Give either `tests` or `tasks`.
    """

    completions: list[str | Messages | None] = Field(
        max_length=MAX_ITEMS,
        description="texts, or chats, whose last assistant message is used; null: no completion",
    )
    prompts: list[str | Messages | None] | None = Field(
        None,
        description="one per completion, or one for all; code that also occurs in the prompt is not the answer",
    )
    tests: list[RewardedTestsOrEmpty] | None = Field(
        None, description="one list per completion, or one for all; a completion without tests gets the reward null"
    )
    tests_index: list[Annotated[int, Field(ge=0)]] | None = Field(
        None,
        description="one per completion: the index of its list in `tests`, so that completions of one prompt can share"
        " a list",
    )
    problems: list[str] | None = Field(
        None, description="one per completion: why its tests are unusable, which makes its reward null; empty if usable"
    )
    entry_point: EntryPoint | list[EntryPoint] = Field(
        "", description="for function tests: `solve` or `Solution.twoSum`; one for all, or one per completion"
    )
    preamble: Preamble | list[Preamble] = Field(
        "",
        description="Python source to insert after a program's `from __future__` imports; one for all, or one each",
    )
    weights: list[list[Weight]] | None = Field(None, description="with `tests`: one weight per test")
    tasks: list[TaskReference] | None = Field(None, description="<set>/<name> of registered tasks, instead of `tests`")
    hacks: Annotated[list[HackTask], Field(min_length=1, max_length=MAX_ITEMS)] | None = Field(
        None,
        description="for the policy hack, instead of `tests`: the program to break with the input in the completion;"
        " one per completion, or one for all",
    )
    suite: Literal["all", "smallest"] = Field(
        "all",
        description="smallest: of `tasks` that have a quality report, run only the tests of the smallest suite, which"
        " reject the same programs of the report for less CPU time",
    )
    lengths: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, description="tokens of each completion, for the policy's length term; default: its number of characters"
    )
    policy: PolicyChoice = Policy()
    extract: Extraction = Extraction()
    language: str | list[str] = Field(
        "python", description="one for all, or one per completion; empty: use the language of its code fence"
    )
    checker: Checker = TokensChecker(type="tokens")
    limits: LimitsRequest = LimitsRequest()
    stop_after_timeouts: int | None = Field(None, ge=1, description=f"{STOP_AFTER_TIMEOUTS}; they count as not passed")
    isolation: Isolation = Field(
        "separate",
        description="where assert tests and pytest files run: in a separate box, or in the program's process, "
        "which lets the program tamper with them",
    )
    environment: EnvironmentReference = ""
    priority: Lane = Lane.RL
    run: RunName | None = Field(
        None, description="name of the training run that these rewards belong to; default: the header Sandbox-Run"
    )
    step: int | None = Field(
        None, ge=0, le=1 << 31, description="with `run`: the training step; default: the number of the request"
    )
    callback_url: CallbackUrl | None = None

    @model_validator(mode="after")
    def _check_combination(self) -> RewardRequest:
        is_hack = self.policy.name == "hack"
        if (self.hacks is not None and not is_hack) or (is_hack and self.hacks is None and self.tasks is None):
            raise ValueError("the policy hack needs hacks or tasks, and no other policy may have hacks")
        if [self.tests, self.tasks, self.hacks].count(None) != 2:
            raise ValueError("give either tests or tasks, not both" if self.hacks is None else "hacks replace tests")
        shared = () if self.tests_index is not None else ("tests", "weights")
        for name in ("tasks", "hacks", "prompts", *shared):
            self._check_count(name, (1, len(self.completions)))
        for name in ("lengths", "language", "entry_point", "preamble", "problems", "tests_index"):
            if not isinstance(getattr(self, name), str):
                self._check_count(name, (len(self.completions),))
        if self.tests_index and max(self.tests_index) >= len(self.tests or ()):
            raise ValueError(f"tests_index has {max(self.tests_index)}, but tests has {len(self.tests or ())} entries")
        if self.weights is not None:
            self._check_weights(self.weights)
        return self

    def _check_count(self, name: str, allowed: tuple[int, ...]) -> None:
        value = getattr(self, name)
        if value is not None and self.completions and len(value) not in allowed:
            raise ValueError(f"{name} has {len(value)} entries for {len(self.completions)} completions")

    def _check_weights(self, weights: list[list[float]]) -> None:
        if self.tests is None or len(weights) != len(self.tests):
            raise ValueError("weights need tests, and as many lists as tests has")
        if any(len(some) != len(tests) for some, tests in zip(weights, self.tests, strict=True)):
            raise ValueError("weights must have one entry per test")

    def spread(self, values: Sequence[Entry]) -> list[Entry]:
        """Return one entry per completion, given `values` in the order of `tests` or `tasks`."""
        if self.tests_index is not None:
            return [values[index] for index in self.tests_index[: len(self.completions)]]
        return list(values) * len(self.completions) if len(values) == 1 else list(values[: len(self.completions)])

    def select(self, indices: Sequence[int]) -> RewardRequest:
        """Return a request for some of the completions."""
        changed: dict[str, Any] = {}
        for name in _COMPLETION_FIELDS:
            values = getattr(self, name)
            shares_tests = self.tests_index is not None and name in {"tests", "weights"}
            if isinstance(values, list) and len(values) == len(self.completions) and not shares_tests:
                changed[name] = [values[index] for index in indices]
        return self.model_copy(update=changed)


# The fields of a reward request that may have one entry per completion.
_COMPLETION_FIELDS = (
    "completions",
    "prompts",
    "tests",
    "tests_index",
    "problems",
    "entry_point",
    "preamble",
    "weights",
    "tasks",
    "hacks",
    "lengths",
    "language",
)


class RewardDetail(WireModel):
    """The reason for a reward. `verdict` is null for a completion that was not run."""

    answered: bool
    language: str = ""
    verdict: Verdict | None = None
    passed: int = 0
    total: int = 0
    message: str = ""
    queue_time_s: float = 0.0
    run_time_s: float = Field(0.0, description="seconds from the start of the judging to its end")
    image_time_s: float = Field(0.0, description=IMAGE_TIME)

    @property
    def accepted(self) -> bool:
        """Return whether the program passed all tests that count."""
        return self.verdict is Verdict.ACCEPTED


class RewardResult(WireModel):
    """The answer of `POST /reward`, in the order of the completions.

    A null reward means that the service failed or that the tests are unusable: drop the sample.
    """

    rewards: list[float | None]
    details: list[RewardDetail]
