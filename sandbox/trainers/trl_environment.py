"""Environments for TRL: the model's tools run in a session, and hidden tests give the reward.

    GRPOTrainer(..., environment_factory=trl_environment(file="solution.py", entry_point="add"))

TRL creates one instance per rollout and reuses it. It calls `reset` with the columns of a row, offers every public
method to the model as a tool, described by its docstring, and calls `get_reward` when the rollout is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from sandbox.client.connection import resolve_url
from sandbox.rewards.policy import Policy
from sandbox.trainers.lazy_clients import LazyClient
from sandbox.trainers.outage import probe_service
from sandbox.trainers.session_rollout import RolloutOptions, SessionRollout, build_options

JUDGE_FIELDS = ("file", "language", "entry_point", "checker", "hidden", "limits")


class SandboxEnvironment:
    """One rollout at a time. `trl_environment` builds the factory that TRL wants; subclasses can add or hide tools."""

    def __init__(self, url: str, column: str, options: RolloutOptions) -> None:
        self._column = column
        self._rollout = SessionRollout(_get_client(url), options)

    def reset(self, **row: Any) -> None:
        """Begin a rollout with the tests of a row. The session opens at the first tool call."""
        self._rollout.start(row.get(self._column))

    def run_code(self, code: str) -> str:
        """Run Python code. Variables and files stay for the next call.

        Args:
            code: The source to run. If it ends with an expression, its value is shown.

        Returns:
            What the code printed, its value, and the traceback if it failed.
        """
        return self._rollout.run_code(code)

    def run_command(self, command: str) -> str:
        """Run a bash command in the work directory.

        Args:
            command: The command to run.

        Returns:
            What the command printed, and its exit code if it failed.
        """
        return self._rollout.run_command(command)

    def read_file(self, path: str) -> str:
        """Read a text file.

        Args:
            path: The path of the file, relative to the work directory.

        Returns:
            The content of the file.
        """
        return self._rollout.read_file(path)

    def write_file(self, path: str, content: str) -> str:
        """Write a text file, and create missing directories.

        Args:
            path: The path of the file, relative to the work directory.
            content: The content of the file.

        Returns:
            The number of bytes written.
        """
        return self._rollout.write_file(path, content)

    def list_files(self, path: str = "") -> str:
        """List a directory.

        Args:
            path: The path of the directory, relative to the work directory, which is the default.

        Returns:
            One path per line.
        """
        return self._rollout.list_files(path)

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
    judge = {name: options.pop(name) for name in JUDGE_FIELDS if name in options}
    built = build_options(policy, judge=judge, **options)
    if built.outage.check_service:
        probe_service(url)
    return partial(environment, url, column, built)


@cache
def _get_client(url: str) -> LazyClient:
    """One client for all environments of a process, so that they share connections."""
    return LazyClient(url)
