"""GPU jobs over REST, with a fake service."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from sandbox.schema import JobStatus
from sandbox.schema.gpu import GenerateRequest
from tests.api.fake_service import FakeService

TEST = {"stdin": "1\n", "expected": "1\n"}
TASK = {"prompt": "p", "tests": [TEST]}
GOOD: dict[str, dict[str, Any]] = {
    "/generate": {"model": "m", "prompts": ["p"]},
    "/train/sft": {"model": "m", "dataset": "rows.jsonl"},
    "/train/grpo": {"model": "m", "tasks": [TASK]},
    "/evaluate": {"model": "m", "problems": [{"name": "one", **TASK}]},
}


@pytest.mark.parametrize("path", sorted(GOOD))
async def test_a_job_is_accepted_with_the_place_where_it_is(http: httpx.AsyncClient, path: str) -> None:
    response = await http.post(path, json=GOOD[path])
    assert response.status_code == 202
    job = response.json()
    assert (job["status"], job["kind"]) == ("queued", path.strip("/").replace("/", "_"))
    assert response.headers["location"] == f"/jobs/{job['id']}"
    assert (await http.get(response.headers["location"])).json()["id"] == job["id"]


async def test_the_same_key_is_the_same_job(http: httpx.AsyncClient) -> None:
    answers = [
        await http.post("/generate", json=GOOD["/generate"], headers={"Idempotency-Key": "step-1"}) for _ in range(2)
    ]
    assert answers[0].json()["id"] == answers[1].json()["id"]


@pytest.mark.parametrize(
    ("path", "change", "words"),
    [
        ("/generate", {"messages": [[{"role": "user", "content": "p"}]]}, "prompts or messages, not both"),
        ("/generate", {"verify": {"tests": [[TEST], [TEST]]}}, "2 entries for 1 prompts"),
        ("/generate", {"verify": {}}, "tests or vote"),
        ("/generate", {"model": "; rm"}, "should match pattern"),
        ("/generate", {"model": "--trust-remote-code"}, "should match pattern"),
        ("/train/sft", {"rows": [{"messages": [{"role": "user", "content": "p"}] * 2}]}, "must be the assistant's"),
        ("/train/sft", {"probe": {"tasks": [TASK]}, "settings": {"fsdp": "full_shard"}}, "probe cannot be used with"),
        ("/train/grpo", {"dataset": "tasks.jsonl"}, "tasks or dataset"),
        ("/evaluate", {"k": [8]}, "pass@8 needs sampling.n"),
        ("/evaluate", {"shape": "mbpp"}, "give shape with rows or dataset"),
    ],
)
async def test_what_cannot_be_is_refused_with_what_is_wrong(
    http: httpx.AsyncClient, path: str, change: dict[str, Any], words: str
) -> None:
    response = await http.post(path, json={**GOOD[path], **change})
    assert response.status_code == 422
    assert words in response.text


@pytest.mark.parametrize(
    "model",
    ["qwen2.5:7b", "meta-llama/llama-3.3-70b-instruct:free", "ft:gpt-4o-mini:org::id", "@cf/meta/llama-3", "job:gpu-1"],
)
async def test_models_have_the_names_that_services_give_them(http: httpx.AsyncClient, model: str) -> None:
    assert (await http.post("/generate", json={**GOOD["/generate"], "model": model})).status_code == 202


async def test_events_go_on_behind_the_last_one_seen(http: httpx.AsyncClient, service: FakeService) -> None:
    job = (await http.post("/generate", json=GOOD["/generate"])).json()
    service.events = [b'{"event":"progress","data":{"step":%d}}' % step for step in range(3)]
    service.jobs[job["id"]] = service.jobs[job["id"]].model_copy(update={"status": JobStatus.FINISHED})
    response = await http.get(f"/jobs/{job['id']}/events", headers={"Last-Event-ID": "0"})
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = response.text.strip().split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["id: 1", "id: 2", "event: state"]
    assert json.loads(blocks[-1].split("data: ")[1])["status"] == "finished"


async def test_events_of_a_job_that_never_was_are_a_404(http: httpx.AsyncClient) -> None:
    assert (await http.get("/jobs/gpu-none/events")).status_code == 404


async def test_the_pool_lists_its_jobs(http: httpx.AsyncClient, service: FakeService) -> None:
    await http.post("/generate", json=GOOD["/generate"])
    assert [job["kind"] for job in (await http.get("/gpus")).json()["jobs"]] == ["generate"]
    assert isinstance(service.gpu_requests[0], GenerateRequest)
