"""The old import paths of the trainers' adapters work for one more version, and say where the adapter is now."""

from __future__ import annotations

import importlib
import sys

import pytest

MOVED = {
    "sandbox.rewards.trl_reward": ("sandbox.trainers.trl_reward", "trl_reward"),
    "sandbox.rewards.verl_reward": ("sandbox.trainers.verl_reward", "compute_score_batch"),
    "sandbox.rewards.openrlhf_reward": ("sandbox.trainers.openrlhf_reward", "openrlhf_request"),
    "sandbox.rewards.slime_reward": ("sandbox.trainers.slime_reward", "slime_request"),
    "sandbox.rewards.open_r1_reward": ("sandbox.trainers.open_r1_reward", None),
    "sandbox.rewards.areal_reward": ("sandbox.trainers.areal_reward", None),
    "sandbox.rewards.verifiers_rubric": ("sandbox.trainers.verifiers_rubric", "verifiers_reward"),
    "sandbox.rewards.function": ("sandbox.trainers.function", "RewardFunction"),
    "sandbox.rewards.outage": ("sandbox.trainers.outage", "ServiceLost"),
    "sandbox.rewards.extract": ("sandbox.rewards.extraction", "extract"),
}


@pytest.mark.parametrize("old", list(MOVED))
def test_an_old_path_warns_and_offers_the_same(old: str) -> None:
    new, name = MOVED[old]
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old} has moved to {new}"):
        module = importlib.import_module(old)
    moved_to = importlib.import_module(new)
    names = [name] if name else [each for each in vars(moved_to) if not each.startswith("_")]
    for each in names:
        assert getattr(module, each) is getattr(moved_to, each)
