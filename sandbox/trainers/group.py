"""Fill in missing rewards of a group, for trainers that cannot drop a sample."""

from __future__ import annotations

from collections.abc import Sequence


def fill_with_mean(rewards: Sequence[float | None]) -> list[float]:
    """Replace missing rewards with the mean of the others.

    The mean of the group, its baseline, stays the same, and the sample's own advantage is 0, as if it had been dropped.
    If all rewards are missing, all are 0, which again gives no advantage.
    """
    known = [reward for reward in rewards if reward is not None]
    mean = sum(known) / len(known) if known else 0.0
    return [mean if reward is None else reward for reward in rewards]
