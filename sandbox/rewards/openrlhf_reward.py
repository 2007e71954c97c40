"""Rewards for OpenRLHF: its Python form, and the body of its remote form.

    # reward.py, for --remote_rm_url reward.py --label_key tests
    from sandbox.rewards.openrlhf_reward import openrlhf_reward
    reward_func = openrlhf_reward(policy="fraction")

`rewards` train, `scores` are the fractions of tests passed by which OpenRLHF filters prompts. It cannot drop a
sample: a reward that is missing raises, unless `missing` names the number to use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Unpack

from sandbox.client import DEFAULT_URL
from sandbox.errors import BadRequest
from sandbox.rewards.function import Options, RewardFunction, Verifier, numbers, reward_request
from sandbox.rewards.lazy_clients import LazyClient
from sandbox.schema.reward import RewardRequest, RewardResult


def openrlhf_reward(
    url: str = DEFAULT_URL,
    *,
    missing: float | None = None,
    client: Verifier | None = None,
    **options: Unpack[Options],
) -> Callable[..., dict[str, Any]]:
    """A `reward_func(queries, prompts, labels)`; labels are tests. Answers with tensors where there is Torch."""
    reward = RewardFunction(client or LazyClient(url), options)

    def reward_func(
        queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: object
    ) -> dict[str, Any]:
        answer = openrlhf_answer(reward.judge(_responses(queries, prompts), labels), missing)
        logs = {name: _tensor(values) for name, values in answer["extra_logs"].items()}
        return {"rewards": _tensor(answer["rewards"]), "scores": _tensor(answer["scores"]), "extra_logs": logs}

    return reward_func


def openrlhf_request(body: Mapping[str, Any], options: Options | None = None) -> RewardRequest:
    """The reward request in the body {query, prompts, labels} of the remote form. Raises BadRequest."""
    queries = _list(body, "query")
    labels = _list(body, "labels")
    if len(labels) != len(queries):
        raise BadRequest(f"{len(labels)} labels for {len(queries)} queries; set --label_key to the tests", "labels")
    return reward_request(_responses(queries, _list(body, "prompts")), labels, options or {})


def openrlhf_answer(result: RewardResult, missing: float | None = None) -> dict[str, Any]:
    """What the remote form is answered with. Raises InfrastructureError, for a client that tries again."""
    return {
        "rewards": numbers(result.rewards, missing),
        "scores": [detail.passed / detail.total if detail.total else 0.0 for detail in result.details],
        "extra_logs": {
            "answered": [float(detail.answered) for detail in result.details],
            "all_passed": [float(0 < detail.total == detail.passed) for detail in result.details],
        },
    }


def _list(body: Mapping[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"{name} must be a list", name)
    return value


def _responses(queries: Sequence[str], prompts: Sequence[str]) -> list[str]:
    """What was generated: the queries less the prompts they begin with, for a prompt may hold code of its own."""
    if len(prompts) != len(queries):
        return list(queries)
    return [query.removeprefix(prompt) for query, prompt in zip(queries, prompts, strict=True)]


def _tensor(values: list[float]) -> Any:
    if find_spec("torch") is None:
        return values
    return import_module("torch").tensor(values)
