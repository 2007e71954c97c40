"""Moved to `sandbox.trainers.verl_reward`. This name works for one more version."""

import warnings

from sandbox.trainers.verl_reward import *  # noqa: F403

warnings.warn("sandbox.rewards.verl_reward has moved to sandbox.trainers.verl_reward", DeprecationWarning, stacklevel=2)
