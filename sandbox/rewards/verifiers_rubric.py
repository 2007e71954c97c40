"""Moved to `sandbox.trainers.verifiers_rubric`. This name works for one more version."""

import warnings

from sandbox.trainers.verifiers_rubric import *  # noqa: F403

warnings.warn(
    "sandbox.rewards.verifiers_rubric has moved to sandbox.trainers.verifiers_rubric", DeprecationWarning, stacklevel=2
)
