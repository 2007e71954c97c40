"""Rewards for OpenRLHF: a Python reward function, and the request and response of a remote reward model.

    # reward.py, for --remote_rm_url reward.py --label_key tests
    from sandbox.trainers.openrlhf_reward import openrlhf_reward
    reward_func = openrlhf_reward(policy="fraction")

OpenRLHF trains on `rewards`, and filters prompts by `scores`, the fractions of tests passed. It cannot drop a sample,
so a missing reward raises unless `missing` sets the value to use instead. A query is a whole sequence that starts with
the prompt. Only the text after the prompt is judged; a query that does not contain its prompt has no answer. If any row
could not be judged, `problems` gives a reason per row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Unpack

from sandbox.errors import BadRequest
from sandbox.rewards.extraction import Extraction
from sandbox.rewards.prompts import UNKNOWN_RESPONSE
from sandbox.schema.reward import RewardRequest, RewardResult
from sandbox.trainers.function import (
    RewardFunction,
    RewardOptions,
    Verifier,
    build_reward_request,
    is_unusable,
    require_result_rewards,
)
from sandbox.trainers.lazy_clients import LazyClient


def openrlhf_reward(
    url: str | None = None,
    *,
    missing: float | None = None,
    client: Verifier | None = None,
    **options: Unpack[RewardOptions],
) -> Callable[..., dict[str, Any]]:
    """Return a `reward_func(queries, prompts, labels)`; labels are tests. It returns tensors if Torch is installed."""
    reward = RewardFunction(client or LazyClient(url), _mark_prompt_included(options))

    def reward_func(
        queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: object
    ) -> dict[str, Any]:
        answer = openrlhf_answer(reward.judge(queries, labels, prompts=prompts), missing)
        logs = {name: _to_tensor(values) for name, values in answer["extra_logs"].items()}
        tensors = {"rewards": _to_tensor(answer["rewards"]), "scores": _to_tensor(answer["scores"]), "extra_logs": logs}
        return {**answer, **tensors}

    return reward_func


def openrlhf_request(body: Mapping[str, Any], options: RewardOptions | None = None) -> RewardRequest:
    """Build a reward request from OpenRLHF's HTTP body {query, prompts, labels}. Raises BadRequest."""
    queries = _read_list(body, "query")
    labels = _read_list(body, "labels")
    if len(labels) != len(queries):
        raise BadRequest(
            f"got {len(labels)} labels for {len(queries)} queries; set --label_key to the column of tests", "labels"
        )
    return build_reward_request(
        queries, labels, _mark_prompt_included(options or {}), prompts=_read_list(body, "prompts")
    )


def openrlhf_answer(result: RewardResult, missing: float | None = None) -> dict[str, Any]:
    """Return the HTTP response for OpenRLHF. Raises InfrastructureError, which makes the client retry."""
    problems = [
        detail.message if is_unusable(reward, detail) or detail.message == UNKNOWN_RESPONSE else ""
        for reward, detail in zip(result.rewards, result.details, strict=True)
    ]
    return {
        "rewards": require_result_rewards(result, missing),
        "scores": [detail.passed / detail.total if detail.total else 0.0 for detail in result.details],
        "extra_logs": {
            "answered": [float(detail.answered) for detail in result.details],
            "all_passed": [float(0 < detail.total == detail.passed) for detail in result.details],
        },
        **({"problems": problems} if any(problems) else {}),
    }


def _read_list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"{name} must be a list", name)
    return value


def _mark_prompt_included(options: RewardOptions) -> RewardOptions:
    """Return the options with the prompt marked as part of the query, unless they set this themselves."""
    given = options.get("extract", Extraction())
    if isinstance(given, Extraction):
        return {**options, "extract": replace(given, prompt="included")}
    return {**options, "extract": {"prompt": "included", **given}}


def _to_tensor(values: list[float]) -> Any:
    if find_spec("torch") is None:
        return values
    return import_module("torch").tensor(values)
