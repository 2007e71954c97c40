"""Moved to `sandbox.trainers.outage`. This name works for one more version."""

import warnings

from sandbox.trainers.outage import *  # noqa: F403

warnings.warn("sandbox.rewards.outage has moved to sandbox.trainers.outage", DeprecationWarning, stacklevel=2)
