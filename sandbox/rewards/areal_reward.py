"""Moved to `sandbox.trainers.areal_reward`. This name works for one more version."""

import warnings

from sandbox.trainers.areal_reward import *  # noqa: F403

warnings.warn(
    "sandbox.rewards.areal_reward has moved to sandbox.trainers.areal_reward", DeprecationWarning, stacklevel=2
)
