"""Moved to `sandbox.trainers.slime_reward`. This name works for one more version."""

import warnings

from sandbox.trainers.slime_reward import *  # noqa: F403

warnings.warn(
    "sandbox.rewards.slime_reward has moved to sandbox.trainers.slime_reward", DeprecationWarning, stacklevel=2
)
