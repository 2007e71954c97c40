"""Environments for TRL: the model's tools run in a session, and hidden tests give the reward.

    GRPOTrainer(..., environment_factory=trl_environment(file="solution.py", entry_point="add"))

TRL creates one instance per rollout and reuses it. It calls `reset` with the columns of a row, offers every public
method to the model as a tool, described by its docstring, and calls `get_reward` when the rollout is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sandbox.client.connection import resolve_url
from sandbox.rewards.policy import Policy
from sandbox.trainers.lazy_clients import get_shared_client
from sandbox.trainers.outage import probe_service
from sandbox.trainers.session_rollout import RolloutOptions, SessionRollout, build_options
from sandbox.trainers.session_tools import SessionTools


class SandboxEnvironment(SessionTools):
    """One rollout at a time. `trl_environment` builds the factory that TRL wants; subclasses can add or hide tools."""

    def __init__(self, url: str, column: str, options: RolloutOptions) -> None:
        self._column = column
        super().__init__(SessionRollout(get_shared_client(url), options))

    def reset(self, **row: Any) -> None:
        """Begin a rollout with the tests of a row. The session opens at the first tool call."""
        self._rollout.start(row.get(self._column))

    def get_reward(self) -> float | None:
        """Judge what the session holds, and close it. None means that the service failed; TRL drops the sample."""
        return self._rollout.judge()


def trl_environment(
    url: str | None = None,
    *,
    column: str = "tests",
    policy: Policy | str | Mapping[str, Any] = "binary",
    environment: type[SandboxEnvironment] = SandboxEnvironment,
    **options: Any,
) -> Callable[[], SandboxEnvironment]:
    """Return an environment factory that judges with the tests in `column`.

    Without `url`, the environment variable SANDBOX_URL names the service. `options` are the fields of `RolloutOptions`
    and of `OutagePolicy`. Fields of `POST /sessions/{id}/verify`, such as `file` and `entry_point`, may be given
    directly. Raises BadRequest for invalid options, and InfrastructureError if no service answers at `url`.
    """
    url = resolve_url(url)
    built = build_options(policy, **options)
    if built.outage.check_service:
        probe_service(url)
    return partial(environment, url, column, built)
