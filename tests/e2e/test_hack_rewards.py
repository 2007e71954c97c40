"""Rewards of test writers through the real service, at once and as a stored job."""

from __future__ import annotations

import time

import httpx

BODY = {
    "completions": [
        "All numbers are negative:\n```input\n-5 -3\n```\n```output\n-3\n```",
        "```input\n-5 -3\n```\n```output\n0\n```",
        "```input\n5 3\n```",
        "```input\nfive\n```",
        "I do not know.",
    ],
    "policy": "hack",
    "hacks": [
        {
            "target": {"language": "python", "code": "print(max(0, *map(int, input().split())))"},
            "validators": [{"language": "python", "code": "list(map(int, input().split()))"}],
            "references": [{"language": "python", "code": "print(max(map(int, input().split())))"}],
        }
    ],
}
REWARDS = [1.0, 0.0, 0.0, 0.0, 0.0]


def test_inputs_are_rewarded_if_they_are_valid_right_and_break_the_target(url: str) -> None:
    result = httpx.post(f"{url}/reward", json=BODY, timeout=60).json()
    assert result["rewards"] == REWARDS
    assert [(detail["passed"], detail["total"]) for detail in result["details"]][:4] == [(3, 3), (2, 3), (1, 2), (0, 2)]
    assert result["details"][3]["message"].startswith("input_rejected: validators.0: ")


def test_a_stored_job_has_the_same_rewards(url: str) -> None:
    job = httpx.post(f"{url}/reward", json=BODY, headers={"Prefer": "respond-async"}, timeout=60).json()
    deadline = time.monotonic() + 60
    while job["status"] != "finished" and time.monotonic() < deadline:
        job = httpx.get(f"{url}/jobs/{job['id']}", params={"wait": 10}, timeout=60).json()
    assert job["result"]["rewards"] == REWARDS
