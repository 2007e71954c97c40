"""Moved to `sandbox.trainers.trl_reward`. This name works for one more version."""

import warnings

from sandbox.trainers.trl_reward import *  # noqa: F403

warnings.warn("sandbox.rewards.trl_reward has moved to sandbox.trainers.trl_reward", DeprecationWarning, stacklevel=2)
