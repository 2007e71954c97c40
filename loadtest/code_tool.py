"""The tool of `loadtest.tool_use`: a rollout's session that runs Python code."""

from __future__ import annotations

import time
from typing import Any

from sandbox.trainers.trl_environment import trl_environment

UNUSED_TESTS = '[{"stdin": "", "expected": ""}]'  # the answer is in a message, not in the session


class CodeTool:
    """One rollout's session with a single tool. TRL offers every public method but `reset` to the model.

    `latencies_s` collects the time of each call of the process, and `instances` all tools that TRL has created.
    """

    latencies_s: list[float] = []  # noqa: RUF012 - shared by all instances on purpose
    instances: list[CodeTool] = []  # noqa: RUF012

    def __init__(self) -> None:
        self._session = trl_environment()()
        self.instances.append(self)

    def reset(self, **row: Any) -> None:
        """Begin a rollout; the session of the last one is closed."""
        self._session.reset(**row)

    def run_code(self, code: str) -> str:
        """Run Python code and return what it prints.

        Args:
            code: The source to run.

        Returns:
            The output.
        """
        began = time.perf_counter()
        output = self._session.run_code(code)
        self.latencies_s.append(time.perf_counter() - began)
        return output


def close_sessions() -> None:
    """Close the sessions of the last rollouts, which TRL does not do, and forget all tools and latencies."""
    for tool in CodeTool.instances:
        tool.reset(tests=UNUSED_TESTS)
    CodeTool.instances.clear()
    CodeTool.latencies_s.clear()
