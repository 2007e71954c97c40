"""Rewards for ms-swift: a class for its registry of outcome reward models.

    # plugin.py, for --external_plugins plugin.py --reward_funcs sandbox
    orms["sandbox"] = ms_swift_reward(policy="fraction")

ms-swift builds the class with its arguments, and calls the object with completions and the data set's columns. It
leaves None out of the group.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Unpack

from sandbox.trainers.function import RewardOptions, Verifier
from sandbox.trainers.trl_reward import Rewards, trl_reward


def ms_swift_reward(
    url: str | None = None, *, column: str = "tests", client: Verifier | None = None, **options: Unpack[RewardOptions]
) -> type:
    """Return a class like ms-swift's ORM that reads tests from `column`, and languages from `language` if present."""

    class SandboxReward:
        def __init__(self, args: object = None, **_: object) -> None:
            self.args = args
            self._reward = trl_reward(url, column=column, client=client, **options)

        def __call__(self, completions: Sequence[str], **columns: Any) -> Rewards:
            messages, tokens = columns.pop("messages", None), columns.pop("response_token_ids", None)
            if messages:
                columns["prompts"] = [conversation[:-1] for conversation in messages]
            return self._reward(completions, completion_ids=_join_turns(tokens), **columns)

    return SandboxReward


def _join_turns(tokens: Sequence[Sequence[Any]] | None) -> list[list[int]] | None:
    """Return the tokens of each completion; ms-swift lists them by turn in a conversation of several turns."""
    if not tokens or not all(tokens):
        return None
    return [list(chain.from_iterable(each)) if isinstance(each[0], list) else list(each) for each in tokens]
