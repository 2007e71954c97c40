"""Settings of `sandbox up`, and how it passes them to its child processes."""

from __future__ import annotations

import json
import os

from sandbox.config.api import ApiSettings
from sandbox.config.queue import QueueSettings
from sandbox.config.worker import SessionSettings


class UpSettings(ApiSettings, SessionSettings):
    """Settings of `sandbox up`, which starts everything in one supervised process tree."""


def build_environment(settings: QueueSettings) -> dict[str, str]:
    """Return this process's environment plus the settings, for starting child processes."""
    values = {
        f"SANDBOX_{name.upper()}": json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in settings.model_dump(mode="json").items()
    }
    return {**os.environ, **values}
