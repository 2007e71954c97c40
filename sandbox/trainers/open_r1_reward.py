"""Rewards for open-r1: its `code` reward, and an execution provider for the scripts that open-r1 writes.

    reward_funcs = [open_r1_reward()]                                          # in place of the "code" reward
    provider = SandboxProvider()                                               # in place of get_provider(...)

Prefer the reward function: it sends only the program, and the service judges it outside the box. The provider runs a
script from open-r1 that holds the program, the tests and the judging code together, so the program can reach them.
"""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Protocol, Unpack

from sandbox.errors import InfrastructureError, Refused
from sandbox.rewards.extraction import parses, tag_language
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane, LimitsRequest
from sandbox.trainers.function import RewardOptions, Verifier
from sandbox.trainers.lazy_clients import LazyClient
from sandbox.trainers.trl_reward import Rewards, trl_reward

logger = logging.getLogger(__name__)

# A script runs all tests of its program one after the other. open-r1 gives its sandbox 30 seconds.
SCRIPT_LIMITS = LimitsRequest(cpu_time_s=30.0, wall_time_s=60.0)


class Executor(Protocol):
    """The method of `sandbox.client.Client` that the provider needs."""

    def execute_batch(self, programs: Sequence[ExecuteRequest]) -> list[ExecuteResult]: ...


def open_r1_reward(
    url: str | None = None, *, client: Verifier | None = None, **options: Unpack[RewardOptions]
) -> Callable[..., Rewards]:
    """Return a reward function for the column `verification_info`, by default the fraction of tests passed."""
    options.setdefault("policy", "fraction")
    return trl_reward(url, column="verification_info", name="code_reward", client=client, **options)


class SandboxProvider:
    """open-r1's CodeExecutionProvider. The reward is the number that the script prints last."""

    def __init__(self, url: str | None = None, *, client: Executor | None = None) -> None:
        self._client = client or LazyClient(url)

    def execute_scripts(self, scripts: list[str], languages: list[str]) -> Rewards:
        """Return one reward per script: 0.0 for a script that fails, None if the infrastructure failed."""
        if not scripts:
            return []
        programs = [_build_program(script, language) for script, language in zip(scripts, languages, strict=True)]
        try:
            return [_read_reward(result) for result in self._client.execute_batch(programs)]
        except (Refused, InfrastructureError) as error:
            logger.warning("%d scripts have no reward: %s", len(scripts), error)
            return [None] * len(scripts)


def _build_program(script: str, language: str) -> ExecuteRequest:
    name = tag_language(language)
    code = print_last_expression(script) if name == "python" else script
    return ExecuteRequest(language=name, code=code, limits=SCRIPT_LIMITS, priority=Lane.RL)


def print_last_expression(script: str) -> str:
    """Make the script print the value of its last expression, as in the notebook where open-r1 runs it."""
    if not parses(script):
        return script
    tree = ast.parse(script)
    if not tree.body or not isinstance(tree.body[-1], ast.Expr):
        return script
    last = tree.body[-1]
    if isinstance(last.value, ast.Call) and isinstance(last.value.func, ast.Name) and last.value.func.id == "print":
        return script
    printed = ast.Expr(ast.Call(ast.Name("print", ast.Load()), [last.value], []))
    return ast.unparse(ast.fix_missing_locations(ast.Module([*tree.body[:-1], printed], [])))


def _read_reward(result: ExecuteResult) -> float | None:
    if result.status is Status.INTERNAL_ERROR:
        return None
    lines = result.stdout.split()
    try:
        value = float(lines[-1]) if lines else 0.0
    except ValueError:
        return 0.0
    return value if result.status is Status.OK and isfinite(value) else 0.0
