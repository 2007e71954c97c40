"""Moved to `sandbox.trainers.function`. This name works for one more version."""

import warnings

from sandbox.trainers.function import *  # noqa: F403

warnings.warn("sandbox.rewards.function has moved to sandbox.trainers.function", DeprecationWarning, stacklevel=2)
