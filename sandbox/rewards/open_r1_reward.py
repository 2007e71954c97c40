"""Moved to `sandbox.trainers.open_r1_reward`. This name works for one more version."""

import warnings

from sandbox.trainers.open_r1_reward import *  # noqa: F403

warnings.warn(
    "sandbox.rewards.open_r1_reward has moved to sandbox.trainers.open_r1_reward", DeprecationWarning, stacklevel=2
)
