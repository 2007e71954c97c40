"""Rewards for TRL: functions for `reward_funcs` of GRPOTrainer, RLOOTrainer and similar trainers.

    GRPOTrainer(..., reward_funcs=trl_reward(policy="fraction"))

TRL calls `f(prompts=, completions=, completion_ids=, trainer_state=, **columns) -> list[float | None]`. It awaits
coroutine functions, logs the reward under the function's `__name__`, and leaves None out of the group.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Unpack

from sandbox.client import DEFAULT_URL
from sandbox.errors import BadRequest
from sandbox.rewards.extraction import Completion
from sandbox.trainers.function import AsyncRewardFunction, AsyncVerifier, RewardFunction, RewardOptions, Verifier
from sandbox.trainers.lazy_clients import LazyAsyncClient, LazyClient

Rewards = list[float | None]


def trl_reward(
    url: str = DEFAULT_URL,
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
        return reward(completions, _select_tests(columns, column), **_build_fields(columns, column, completion_ids))

    sandbox_reward.__name__ = name
    return sandbox_reward


def trl_async_reward(
    url: str = DEFAULT_URL,
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
        return await reward(
            completions, _select_tests(columns, column), **_build_fields(columns, column, completion_ids)
        )

    sandbox_reward.__name__ = name
    return sandbox_reward


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
        "lengths": None if completion_ids is None else [len(ids) for ids in completion_ids],
    }


def _find_test_languages(tests: Sequence[Any]) -> list[str] | None:
    """Return the language that each test names, as in open-r1's verification_info; None if any test names none."""
    languages = [value.get("language") for value in tests if isinstance(value, Mapping)]
    named = [language for language in languages if isinstance(language, str)]
    return named if len(named) == len(tests) else None
