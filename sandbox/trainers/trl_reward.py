"""Rewards for TRL: functions for `reward_funcs` of GRPOTrainer, RLOOTrainer and similar trainers.

    GRPOTrainer(..., reward_funcs=trl_reward(policy="fraction"))

TRL calls `f(prompts=, completions=, completion_ids=, trainer_state=, log_metric=, log_extra=, **columns) ->
list[float | None]`. It awaits coroutine functions, logs the reward under the function's `__name__`, and leaves None out
of the group. The metrics of `reward_metrics` go to its log under `<name>/`, and each completion's outcome and tests
passed go to its table of completions. Versions of TRL without `log_metric` and `log_extra` get the rewards only.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Unpack

from sandbox.errors import BadRequest
from sandbox.rewards.extraction import Completion
from sandbox.schema.reward import RewardResult
from sandbox.trainers.function import AsyncRewardFunction, AsyncVerifier, RewardFunction, RewardOptions, Verifier
from sandbox.trainers.lazy_clients import LazyAsyncClient, LazyClient
from sandbox.trainers.reward_metrics import classify_sample, measure_batch

Rewards = list[float | None]


def trl_reward(
    url: str | None = None,
    *,
    column: str = "tests",
    name: str = "sandbox_reward",
    client: Verifier | None = None,
    **options: Unpack[RewardOptions],
) -> Callable[..., Rewards]:
    """Return a reward function that reads tests from `column`, and languages from the `language` column if present."""
    reward = RewardFunction(client or LazyClient(url), options)

    def sandbox_reward(
        completions: Sequence[Completion], completion_ids: Sequence[Sequence[int]] | None = None, **columns: Any
    ) -> Rewards:
        tests, fields = _select_tests(columns, column), _build_fields(columns, column, completion_ids)
        return _log_result(reward.judge(completions, tests, **fields), name, columns)

    sandbox_reward.__name__ = name
    return sandbox_reward


def trl_async_reward(
    url: str | None = None,
    *,
    column: str = "tests",
    name: str = "sandbox_reward",
    client: AsyncVerifier | None = None,
    **options: Unpack[RewardOptions],
) -> Callable[..., Coroutine[Any, Any, Rewards]]:
    """The coroutine version of `trl_reward`: TRL awaits several of these concurrently."""
    reward = AsyncRewardFunction(client or LazyAsyncClient(url), options)

    async def sandbox_reward(
        completions: Sequence[Completion], completion_ids: Sequence[Sequence[int]] | None = None, **columns: Any
    ) -> Rewards:
        tests, fields = _select_tests(columns, column), _build_fields(columns, column, completion_ids)
        return _log_result(await reward.judge(completions, tests, **fields), name, columns)

    sandbox_reward.__name__ = name
    return sandbox_reward


def _log_result(result: RewardResult, name: str, columns: Mapping[str, Any]) -> Rewards:
    """Write the metrics of a batch to TRL's log, if it passes functions for this, and return the rewards."""
    log_metric, log_extra = columns.get("log_metric"), columns.get("log_extra")
    if callable(log_metric):
        for metric, value in measure_batch(result).items():
            log_metric(f"{name}/{metric}", value)
    if callable(log_extra):
        log_extra(f"{name}/outcome", list(map(classify_sample, result.rewards, result.details)))
        log_extra(f"{name}/passed", [f"{detail.passed} of {detail.total}" for detail in result.details])
    return result.rewards


def _select_tests(columns: dict[str, Any], column: str) -> Sequence[Any]:
    if column not in columns:
        known = sorted(name for name, value in columns.items() if isinstance(value, list))
        raise BadRequest(
            f"the data set has no column {column!r}; set column= to the one with tests, out of {known}", "tests"
        )
    tests: Sequence[Any] = columns[column]
    return tests


def _build_fields(
    columns: dict[str, Any], column: str, completion_ids: Sequence[Sequence[int]] | None
) -> dict[str, Any]:
    return {
        "language": columns.get("language") or _find_test_languages(columns[column]),
        "prompts": columns.get("prompts"),
        "step": getattr(columns.get("trainer_state"), "global_step", None),
        "lengths": None if completion_ids is None else [len(ids) for ids in completion_ids],
    }


def _find_test_languages(tests: Sequence[Any]) -> list[str] | None:
    """Return the language that each test names, as in open-r1's verification_info; None if any test names none."""
    languages = [value.get("language") for value in tests if isinstance(value, Mapping)]
    named = [language for language in languages if isinstance(language, str)]
    return named if len(named) == len(tests) else None
