"""A GPU worker end to end: the engine is a scripted server, and the verdicts come from the real service."""

from __future__ import annotations

import gzip
import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.gpu.evaluation.benchmarks import read_problems
from sandbox.queue import redis_keys
from sandbox.schema import JobStatus
from tests.gpu.conftest import GpuHost
from tests.redis_server import RedisServer

HUMANEVAL = Path(__file__).resolve().parents[3] / "shared/data/HumanEval.jsonl.gz"
RIGHT = "```python\nprint(sum(map(int, input().split())))\n```"
WRONG = "```python\nprint(0)\n```"
TESTS = [{"stdin": "20 22\n", "expected": "42\n"}]


def _build_generate_request(prompts: int = 2, n: int = 2, **more: Any) -> dict[str, Any]:
    return {"model": "m", "prompts": [f"prompt {index}" for index in range(prompts)], "sampling": {"n": n}, **more}


def _fetch_events(url: str, job_id: str, last: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Return the kind and data of every event of an ended job."""
    headers = {"Last-Event-ID": last} if last else {}
    blocks = httpx.get(f"{url}/jobs/{job_id}/events", headers=headers, timeout=30).text.strip().split("\n\n")
    parsed = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    return [(block["event"], json.loads(block["data"])) for block in parsed]


def test_completions_come_as_events_with_their_verdicts(host: GpuHost, url: str) -> None:
    host.write_script(default=[RIGHT, WRONG, "no code at all"])
    host.start_worker()
    job = host.wait_until_ended(
        host.client.start("generate", _build_generate_request(3, 3, verify={"tests": [TESTS]})).id
    )
    assert job.status is JobStatus.FINISHED, (job.error, host.read_log())
    assert job.result is not None
    assert (job.result["completions"], job.result["verdicts"], job.result["lost_verdicts"]) == (9, 9, 0)
    assert job.result["pass_rate"] == pytest.approx(1 / 3)
    events = _fetch_events(url, job.id)
    groups = [data for kind, data in events if kind == "completion"]
    assert sorted(group["prompt"] for group in groups) == [0, 1, 2]
    assert all(group["completions"] == [RIGHT, WRONG, "no code at all"] for group in groups)
    verdicts = [data for kind, data in events if kind == "verdict"]
    assert sorted(verdict["prompt"] for verdict in verdicts) == [0, 1, 2]
    assert all(verdict["rewards"] == [1.0, 0.0, 0.0] for verdict in verdicts)
    assert events[-1][0] == "state"
    assert events[-1][1]["status"] == "finished"
    assert _fetch_events(url, job.id, last="1") == events[2:]


def test_verdicts_are_there_before_the_last_tokens_are(host: GpuHost) -> None:
    """With four concurrent requests of half a second each, the first programs run long before the last completions."""
    host.write_script(default=[RIGHT], delay_s=0.5)
    host.start_worker(SANDBOX_LLM_REQUESTS="4")
    job = host.wait_until_ended(
        host.client.start("generate", _build_generate_request(16, 2, verify={"tests": [TESTS]})).id
    )
    assert job.result is not None, (job.error, host.read_log())
    assert job.result["overlap"] >= 0.5


def test_a_vote_labels_inputs_while_completions_are_drawn(host: GpuHost, url: str) -> None:
    host.write_script(default=[RIGHT, RIGHT, WRONG, "no code"])
    host.start_worker()
    request = _build_generate_request(1, 4, verify={"vote": [["1 2\n", "3 4\n", "5 6\n"]]})
    job = host.wait_until_ended(host.client.start("generate", request).id)
    (verdict,) = [data for kind, data in _fetch_events(url, job.id) if kind == "verdict"]
    assert [label["expected"] for label in verdict["vote"]["labels"]] == ["3\n", "7\n", "11\n"]
    assert verdict["vote"]["golden"]["completion"] in (0, 1)
    assert verdict["rewards"][3] is None


def test_a_server_that_dies_is_started_again_and_nothing_is_lost(host: GpuHost) -> None:
    host.write_script(default=[WRONG], die_after=3)
    host.start_worker(SANDBOX_LLM_REQUESTS="1")
    job = host.wait_until_ended(host.client.start("generate", _build_generate_request(6, 1)).id)
    assert job.status is JobStatus.FINISHED, (job.error, host.read_log())
    assert (host.directory / "script.died").exists()
    assert job.result is not None
    assert job.result["completions"] == 6
    assert job.attempts == 1


def test_a_server_stays_warm_for_its_model_and_makes_room_for_another(host: GpuHost) -> None:
    host.write_script(default=[WRONG])
    host.start_worker()

    def get_server_urls(model: str) -> list[str]:
        job = host.wait_until_ended(host.client.start("generate", {**_build_generate_request(), "model": model}).id)
        assert job.result is not None, (job.error, host.read_log())
        return list(job.result["served_by"])

    first = get_server_urls("one")
    assert get_server_urls("one") == first
    assert get_server_urls("two") != first
    with pytest.raises(httpx.ConnectError):
        httpx.get(first[0].removesuffix("/v1") + "/health")


def test_a_job_that_runs_can_be_cancelled(host: GpuHost) -> None:
    host.write_script(default=[WRONG], delay_s=0.3)
    host.start_worker(SANDBOX_LLM_REQUESTS="1")
    job = host.client.start("generate", _build_generate_request(200))
    host.wait_until(job.id, lambda job: job.progress.step > 0)
    assert host.client.cancel(job.id).status is JobStatus.CANCELLED
    after = host.wait_until_ended(host.client.start("generate", _build_generate_request(1)).id)
    assert after.status is JobStatus.FINISHED
    assert host.client.job(job.id).status is JobStatus.CANCELLED


def test_the_job_of_a_killed_worker_goes_on_in_another_and_tells_nothing_twice(host: GpuHost, url: str) -> None:
    host.write_script(default=[WRONG], delay_s=0.3)
    first = host.start_worker(SANDBOX_LLM_REQUESTS="1")
    job = host.client.start("generate", _build_generate_request(12, 1, verify={"tests": [TESTS]}))
    host.wait_until(job.id, lambda job: job.progress.step > 2)
    first.kill()
    host.start_worker()
    ended = host.wait_until_ended(job.id)
    assert (ended.status, ended.attempts) == (JobStatus.FINISHED, 2)
    assert ended.result is not None
    assert (ended.result["completions"], ended.result["verdicts"], ended.result["pass_rate"]) == (12, 12, 0.0)
    assert ended.result["resumed_from"] > 2
    events = _fetch_events(url, job.id)
    for event in ("completion", "verdict"):
        assert sorted(data["prompt"] for kind, data in events if kind == event) == list(range(12))


def test_a_gpu_is_lent_to_one_worker_at_a_time_and_says_to_whom(host: GpuHost) -> None:
    host.write_script(default=[WRONG], delay_s=0.2)
    host.start_worker(SANDBOX_GPUS="7")
    job = host.client.start("generate", _build_generate_request(20))
    host.wait_until(job.id, lambda job: job.status is JobStatus.RUNNING)
    (lease,) = [lease for lease in host.client.gpus().leases if lease.gpu.endswith("/7")]
    assert lease.worker == host.client.gpus().jobs[0].worker
    assert host.start_worker(SANDBOX_GPUS="7").wait(40) == 1
    assert "is held by" in host.read_log()


def test_a_worker_whose_gpu_is_anothers_by_now_leaves_its_job_and_ends(
    host: GpuHost, redis_server: RedisServer
) -> None:
    """The same happens to a worker that could not reach Redis for longer than its lease."""
    host.write_script(default=[WRONG], delay_s=0.3)
    worker = host.start_worker(SANDBOX_GPUS="7", SANDBOX_LLM_REQUESTS="1")
    job = host.client.start("generate", _build_generate_request(200))
    host.wait_until(job.id, lambda job: job.progress.step > 0)
    (lease,) = host.client.gpus().leases
    usurper = lease.model_copy(update={"worker": "usurper", "until": lease.until + 60, "job": ""})
    with redis_server.connect() as redis:
        redis.hset(redis_keys.GPU_LEASES, lease.gpu, usurper.model_dump_json())
        assert worker.wait(40) == 0
        assert "this worker stops: GPU" in host.read_log()
        assert redis.hget(redis_keys.GPU_LEASES, lease.gpu) == usurper.model_dump_json().encode()
        redis.hdel(redis_keys.GPU_LEASES, lease.gpu)
    host.client.cancel(job.id)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"model": "../../etc"}, "is outside SANDBOX_GPU_FOLDER"),
        ({"model": "job:none"}, "has no model"),
        ({"gpus": 2}, "needs 2 GPUs"),
    ],
)
def test_what_the_request_gets_wrong_fails_the_job_at_once(host: GpuHost, change: dict[str, Any], why: str) -> None:
    host.write_script(default=[WRONG])
    host.start_worker()
    job = host.wait_until_ended(host.client.start("generate", {**_build_generate_request(), **change}).id)
    assert job.status is JobStatus.FAILED
    assert why in job.error
    assert job.attempts == 1


MODEL_NOT_FOUND = "ValueError: Invalid repository ID or local directory specified: 'm'."


@pytest.mark.parametrize(
    ("words", "attempts", "starts"),
    [
        (f"{MODEL_NOT_FOUND}\nPlease verify the following requirements:", 1, 1),
        (f"ConnectionError: the hub is away\n{MODEL_NOT_FOUND}", 2, 4),
        ("torch.OutOfMemoryError: CUDA out of memory.", 2, 4),
    ],
)
def test_a_model_that_the_engine_cannot_find_fails_the_job_at_once_and_other_failures_do_not(
    host: GpuHost, words: str, attempts: int, starts: int
) -> None:
    host.write_script(no_start=words)
    host.start_worker(SANDBOX_GPU_ATTEMPTS="2", HF_HUB_OFFLINE="0")
    job = host.wait_until_ended(host.client.start("generate", _build_generate_request()).id)
    assert (job.status, job.attempts) == (JobStatus.FAILED, attempts), job.error
    log = (host.directory / "gpu-worker-0" / f"engine-{socket.gethostname()}-cpu.log").read_text(encoding="utf-8")
    assert log.count(words.splitlines()[0]) == starts
    if starts == 1:
        assert job.error == f"model: the engine cannot find 'm': {MODEL_NOT_FOUND}"


@pytest.mark.parametrize(("broken", "score"), [(False, 1.0), (True, 0.0)])
def test_humaneval_references_score_one_and_wrong_ones_zero(host: GpuHost, broken: bool, score: float) -> None:
    if not HUMANEVAL.exists():
        pytest.skip(f"the data set is not here: {HUMANEVAL}")
    rows = [json.loads(line) for line in gzip.decompress(HUMANEVAL.read_bytes()).splitlines()]
    answers = {}
    for row in rows:
        (problem,) = read_problems("humaneval", [row])
        prompt = str(problem.prompt)
        body = "    return NotImplemented\n" if broken else row["canonical_solution"]
        answers[prompt] = [f"```python\n{row['prompt']}{body}\n```", f"```python\n{body}\n```"]
    host.write_script(answers=answers, default=["no such prompt"])
    host.start_worker()
    request = {"model": "m", "rows": rows, "shape": "humaneval", "k": [1, 2], "sampling": {"n": 2}}
    job = host.wait_until_ended(host.client.start("evaluate", request).id, 110)
    assert job.result is not None, (job.error, host.read_log())
    unlike = [one for one in job.result["problems"] if one["right"] != 2 * score]
    assert not unlike
    scores = job.result["all"]
    assert (scores["problems"], scores["pass@1"], scores["pass@2"], scores["avg@2"]) == (164, score, score, score)
