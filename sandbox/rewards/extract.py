"""Moved to `sandbox.rewards.extraction`. This name works for one more version."""

import warnings

from sandbox.rewards.extraction import *  # noqa: F403

warnings.warn("sandbox.rewards.extract has moved to sandbox.rewards.extraction", DeprecationWarning, stacklevel=2)
