"""Moved to `sandbox.trainers.openrlhf_reward`. This name works for one more version."""

import warnings

from sandbox.trainers.openrlhf_reward import *  # noqa: F403

warnings.warn(
    "sandbox.rewards.openrlhf_reward has moved to sandbox.trainers.openrlhf_reward", DeprecationWarning, stacklevel=2
)
