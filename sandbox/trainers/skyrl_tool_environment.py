"""An environment for SkyRL with many turns: the model's tools run in a session, and hidden tests give the reward.

    class ToolEnvironment(SandboxToolEnvironment, BaseTextEnv):
        options = {"policy": "fraction", "file": "solution.py", "entry_point": "add"}

    skyrl_gym.register(id="sandbox-tools", entry_point=ToolEnvironment)

The model calls a tool by writing `<tool_call>{"name": "run_code", "arguments": {"code": "1 + 1"}}</tool_call>`, and
reads the answer in the next message. An answer without a call ends the episode, and so does the last turn.

SkyRL cannot drop a sample, so a missing reward raises unless `missing` sets the value to use instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from sandbox.client.connection import resolve_url
from sandbox.errors import BadRequest, SandboxError
from sandbox.trainers.lazy_clients import get_shared_client
from sandbox.trainers.missing_rewards import require_rewards
from sandbox.trainers.session_rollout import SessionRollout, build_options
from sandbox.trainers.session_tools import TOOL_NAMES, SessionTools

TOOL_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
DEFAULT_MAX_TURNS = 10


class SandboxToolEnvironment:
    """The methods of SkyRL's BaseTextEnv. Derive a class from this one and from BaseTextEnv, in this order.

    `options` are `policy`, the fields of `RolloutOptions` and `OutagePolicy`, and those of
    `POST /sessions/{id}/verify`, such as `file` and `entry_point`.
    """

    url: ClassVar[str | None] = None
    missing: ClassVar[float | None] = None
    options: ClassVar[Mapping[str, Any]] = {}
    tools: ClassVar[tuple[str, ...]] = TOOL_NAMES

    def __init__(self, env_config: object = None, extras: Mapping[str, Any] | None = None) -> None:
        """Take the tests from `reward_spec.ground_truth`, and `max_turns`, as SkyRL's data sets have them.

        Raises BadRequest.
        """
        super().__init__()
        given = extras or {}
        spec = given.get("reward_spec") or {}
        if "ground_truth" not in spec:
            raise BadRequest("the row has no reward_spec.ground_truth, which holds the tests", "reward_spec")
        self.turns, self.max_turns = 0, int(given.get("max_turns", DEFAULT_MAX_TURNS))
        options = build_options(**{"policy": "binary", **self.options})
        self._rollout = SessionRollout(get_shared_client(resolve_url(self.url)), options)
        self._rollout.start(spec["ground_truth"])
        self._calls = self._failed_calls = 0

    def step(self, action: str) -> dict[str, Any]:
        """Run the tool calls of the model's answer, or judge the session. Raises InfrastructureError."""
        self.turns += 1
        answers = [self._run(text) for text in TOOL_CALL.findall(action)]
        if answers and self.turns < self.max_turns:
            content = "\n".join(f"<tool_response>\n{answer}\n</tool_response>" for answer in answers)
            return self._build_output([{"role": "user", "content": content}], 0.0, False)
        return self._build_output([], require_rewards([self._rollout.judge()], self.missing)[0], True)

    def close(self) -> None:
        """Close the session of an episode that did not end."""
        self._rollout.close()

    def get_metrics(self) -> dict[str, float]:
        """Return the numbers whose means SkyRL logs."""
        return {"turns": self.turns, "tool_calls": self._calls, "failed_tool_calls": self._failed_calls}

    def _run(self, text: str) -> str:
        """Run one call, and return the text that the model reads. A mistake of the model is such a text, too."""
        self._calls += 1
        try:
            call = json.loads(text)
            name, arguments = call["name"], call.get("arguments", {})
            if name not in self.tools:
                raise BadRequest(f"there is no tool {name!r}; use one of {', '.join(self.tools)}")
            answer: str = getattr(SessionTools(self._rollout), name)(**arguments)
            return answer
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SandboxError) as error:
            self._failed_calls += 1
            return f"{type(error).__name__}: {error}"

    def _build_output(self, observations: list[dict[str, str]], reward: float, done: bool) -> dict[str, Any]:
        return {"observations": observations, "reward": reward, "done": done, "metadata": dict(self.get_metrics())}
