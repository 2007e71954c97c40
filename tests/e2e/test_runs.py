"""Reward requests that name a training run join its history once, however they were sent."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

BODY = {
    "completions": ["```python\nprint(1)\n```", "```python\nprint(2)\n```", "I do not know."],
    "tests": [[{"stdin": "", "expected": "1"}]],
}


def send(url: str, body: dict[str, Any], **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/reward", json={**BODY, **body}, headers=headers, timeout=60)


def find_run(url: str, name: str, requests: int) -> dict[str, Any]:
    """Wait until the run has so many requests, and return it."""
    deadline = time.monotonic() + 20
    while True:
        found = [run for run in httpx.get(f"{url}/runs").json()["runs"] if run["name"] == name]
        if found and found[0]["requests"] >= requests:
            run: dict[str, Any] = httpx.get(f"{url}/runs/{found[0]['id']}").json()
            return run
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_each_request_is_recorded_once_however_it_is_sent(url: str) -> None:
    name = "ppo/seed=1"
    assert send(url, {"run": name}).json()["rewards"] == [1.0, 0.0, 0.0]
    assert send(url, {}, **{"Sandbox-Run": name}).status_code == 200
    for _ in range(2):  # the second one repeats the first
        assert send(url, {"run": name}, **{"Idempotency-Key": "step-3"}).status_code == 200
    find_run(url, name, 3)
    assert send(url, {"run": name, "step": 40}, Prefer="respond-async").status_code == 202
    run = find_run(url, name, 4)
    assert run["requests"] == 4
    assert [point["step"] for point in run["points"]] == [0, 1, 2, 40]
    for point in run["points"]:
        assert point["verdicts"] == {"accepted": 1, "wrong_answer": 1, "no_code": 1}
        assert (point["completions"], point["reward"]) == (3, pytest.approx(1 / 3))
        assert 0 < point["took_s"] < 60
    assert len(httpx.get(f"{url}/runs/{run['id']}?points=2").json()["points"]) == 2


def test_requests_without_a_run_are_not_recorded(url: str) -> None:
    before = httpx.get(f"{url}/runs").json()
    assert send(url, {}).status_code == 200
    assert httpx.get(f"{url}/runs").json() == before


def test_dialects_join_runs_by_the_header(url: str) -> None:
    body = {"query": ["q"], "prompts": ["p"], "labels": ['[{"input": "", "output": "1"}]']}
    response = httpx.post(f"{url}/dialects/openrlhf", json=body, headers={"Sandbox-Run": "openrlhf"}, timeout=60)
    assert response.status_code == 200, response.text
    assert find_run(url, "openrlhf", 1)["latest"]["completions"] == 1


@pytest.mark.parametrize("name", ["", "-x", "a b", "x" * 101, "<script>"])
def test_a_name_that_is_no_name_is_refused_with_the_field(url: str, name: str) -> None:
    refused = send(url, {"run": name})
    assert refused.status_code == 422
    assert "run" in refused.text
    if name:
        refused = send(url, {}, **{"Sandbox-Run": name})
        assert refused.status_code == 422
        assert "Sandbox-Run" in refused.text


def test_an_unknown_run_is_not_found(url: str) -> None:
    response = httpx.get(f"{url}/runs/{'0' * 16}")
    assert response.status_code == 404
    assert "no run" in response.json()["detail"]
