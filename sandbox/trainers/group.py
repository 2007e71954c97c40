"""Rewards of one prompt's group, for trainers that cannot drop a sample."""

from __future__ import annotations

from collections.abc import Sequence


def fill_with_mean(rewards: Sequence[float | None]) -> list[float]:
    """Missing rewards as the mean of the others.

    The mean of the group, its baseline, then stays what it is, and the sample's own advantage is 0: it teaches
    nothing, as if it had been dropped. A group without any reward gets 0 for all, so again no advantage.
    """
    known = [reward for reward in rewards if reward is not None]
    mean = sum(known) / len(known) if known else 0.0
    return [mean if reward is None else reward for reward in rewards]
