"""Environments for verifiers and prime-rl: the model's tools run in a session, and hidden tests give the reward.

    class CodeEnvironment(SandboxEnvironment, vf.StatefulToolEnv): ...

    environment = CodeEnvironment(dataset=dataset, session_options={"file": "solution.py", "entry_point": "add"})

The tests are `info["tests"]`, or else the answer. verifiers calls `setup_state` when a rollout begins,
`update_tool_args` before each tool call, and `cleanup` when the rollout has ended. It reads the rewards after that.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from importlib import import_module
from typing import Any

from sandbox.client.connection import resolve_url
from sandbox.rewards.policy import Policy
from sandbox.trainers.group import fill_with_mean
from sandbox.trainers.lazy_clients import get_shared_client
from sandbox.trainers.missing_rewards import require_rewards
from sandbox.trainers.outage import probe_service
from sandbox.trainers.session_rollout import RolloutOptions, SessionRollout, build_options
from sandbox.trainers.session_tools import TOOL_NAMES, SessionTools

REWARD_KEY = "sandbox_reward"
State = MutableMapping[str, Any]


class SandboxEnvironment:
    """The methods of StatefulToolEnv. Derive a class from this one and from it, in this order."""

    def __init__(
        self,
        *,
        url: str | None = None,
        policy: Policy | str | Mapping[str, Any] = "binary",
        missing: float | None = None,
        sandbox_tools: Sequence[str] = TOOL_NAMES,
        session_options: Mapping[str, Any] | None = None,
        **environment: Any,
    ) -> None:
        """Take the service's URL, how to judge, and the fields of StatefulToolEnv.

        `session_options` are the fields of `RolloutOptions` and `OutagePolicy`, and those of
        `POST /sessions/{id}/verify`, such as `file` and `entry_point`. Without `missing`, the mean of its group
        replaces a reward that is missing because the service failed. Raises BadRequest for invalid options, and
        InfrastructureError if no service answers.
        """
        self._url = resolve_url(url)
        self._options: RolloutOptions = build_options(policy, **(session_options or {}))
        self._rollouts: dict[str, SessionRollout] = {}
        if self._options.outage.check_service:
            probe_service(self._url)
        super().__init__(**environment)
        host: Any = self
        for name in sandbox_tools:
            host.add_tool(_build_tool(name))
        reward = session_reward if missing is None else _build_single_reward(missing)
        host.add_rubric(import_module("verifiers").Rubric(funcs=[reward]))

    async def setup_state(self, state: State) -> None:
        """Begin a rollout. Its session opens at the first tool call."""
        await super().setup_state(state)  # type: ignore[misc]  # the method of StatefulToolEnv
        info = state.get("info") or {}
        rollout = SessionRollout(get_shared_client(self._url), self._options)
        rollout.start(info["tests"] if "tests" in info else state.get("answer"))
        self._rollouts[state["trajectory_id"]] = rollout

    def update_tool_args(
        self, tool_name: str, tool_args: dict[str, Any], messages: Any, state: State, **given: Any
    ) -> dict[str, Any]:
        """Add the rollout to the arguments of a tool; the model does not see it."""
        is_own = getattr(self.tool_map.get(tool_name), "needs_rollout", False)  # type: ignore[attr-defined]
        return {**tool_args, "rollout": self._rollouts[state["trajectory_id"]]} if is_own else tool_args

    async def cleanup(self, state: State, *given: Any, **more: Any) -> None:
        """Judge what the session holds, and close it. Raises ServiceLost if the service stays away."""
        rollout = self._rollouts.pop(state["trajectory_id"], None)
        try:
            if rollout is not None:
                state[REWARD_KEY] = await asyncio.to_thread(rollout.judge)
        finally:
            await super().cleanup(state, *given, **more)  # type: ignore[misc]  # the method of StatefulToolEnv


def _build_tool(name: str) -> Callable[..., Any]:
    """Return a tool with the parameters and the docstring of the method of `SessionTools`."""
    method = getattr(SessionTools, name)

    async def call(rollout: SessionRollout, **arguments: Any) -> str:
        text: str = await asyncio.to_thread(getattr(SessionTools(rollout), name), **arguments)
        return text

    signature = inspect.signature(method)
    parameters = [each for each in signature.parameters.values() if each.name != "self"]
    call.__name__, call.__doc__ = name, method.__doc__
    call.__annotations__ = {each.name: str for each in parameters} | {"return": str}
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[each.replace(annotation=str) for each in parameters], return_annotation=str
    )
    call.needs_rollout = True  # type: ignore[attr-defined]
    return call


async def session_reward(states: Sequence[State]) -> list[float]:
    """Return the rewards of a group. A Rubric recognizes it by the plural name of its parameter."""
    return fill_with_mean([state.get(REWARD_KEY) for state in states])


def _build_single_reward(missing: float) -> Callable[..., Any]:
    async def session_reward(state: State) -> float:
        return require_rewards([state.get(REWARD_KEY)], missing)[0]

    return session_reward
