"""Test that an Idempotency-Key stands for one request: repetitions are replayed, other requests are refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from redis import Redis

from sandbox.api.app import create_app
from sandbox.api.keyring import generate_key
from sandbox.config import ApiSettings, QueueSettings
from sandbox.errors import IdempotencyKeyReused
from sandbox.queue import redis_keys
from sandbox.queue.submission import Submission
from sandbox.request_context import Caller, Role
from sandbox.schema import ExecuteRequest, VerifyRequest
from sandbox.schema.gpu import GenerateRequest, GpuKind
from sandbox.service import Service, Ticket
from tests.api.threaded_server import serve_in_thread
from tests.queue.sample_programs import build_printing_programs
from tests.queue.submit_and_wait import act_as, await_job, get_stdouts, submit
from tests.worker_processes import WorkerProcesses

Body = dict[str, Any]

ADD: Body = {"language": "python", "code": "print(sum(map(int, input().split())))"}
TEST = {"stdin": "2 3\n", "expected": "5\n"}
VERIFY: Body = {**ADD, "tests": [TEST]}
VOTE: Body = {"candidates": [ADD, {**ADD, "code": "print(5)"}], "inputs": [{"stdin": "2 3\n"}]}
REWARD: Body = {"completions": ["```python\nprint(5)\n```"], "tests": [[TEST]], "policy": "fraction"}
HACK: Body = {
    "target": {"language": "python", "code": "print(1)"},
    "input": "5\n",
    "references": [{"language": "python", "code": "print(2)"}],
}
GENERATE: Body = {"model": "m", "prompts": ["p"]}
EVALUATE: Body = {"model": "m", "problems": [{"name": "n", "prompt": "p", "tests": [TEST]}]}
TRAIN: Body = {
    "model": "m",
    "rows": [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}],
}

# A route, its first body, and bodies that each differ from it in one field.
ROUTES: dict[str, tuple[Body, list[Body]]] = {
    "/execute": (ADD, [{**ADD, "stdin": "1 1\n"}, {**ADD, "limits": {"cpu_time_s": 1}}, {**ADD, "priority": "rl"}]),
    "/verify": (VERIFY, [{**VERIFY, "code": "print(6)"}, {**VERIFY, "tests": [TEST, TEST]}]),
    "/execute/batch": ({"items": [ADD]}, [{"items": [ADD, ADD]}, {"items": [{**ADD, "args": ["1"]}]}]),
    "/verify/batch": ({"items": [VERIFY]}, [{"items": [VERIFY, VERIFY]}]),
    "/verify/vote": (VOTE, [{**VOTE, "inputs": [{"stdin": "2 4\n"}]}]),
    "/verify/hack": (HACK, [{**HACK, "input": "6\n"}]),
    "/verify/hack/batch": ({"items": [HACK]}, [{"items": [HACK, HACK]}]),
    "/reward": (REWARD, [{**REWARD, "policy": "binary"}, {**REWARD, "completions": ["no code here"]}]),
    "/generate": (GENERATE, [{**GENERATE, "prompts": ["q"]}]),
    "/train/sft": (TRAIN, [{**TRAIN, "steps": 3}]),
    "/evaluate": (EVALUATE, [{**EVALUATE, "model": "n"}]),
}


@pytest.fixture
def http(service: Service, settings: QueueSettings) -> Iterator[httpx.Client]:
    app = create_app(ApiSettings(home=settings.home, redis_url=settings.redis_url, request_timeout_s=60), service)
    with serve_in_thread(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def post(http: httpx.Client, path: str, body: object, key: str, **headers: str) -> httpx.Response:
    return http.post(path, json=body, headers={"Idempotency-Key": key, **headers})


@pytest.mark.parametrize("path", list(ROUTES))
def test_a_key_with_another_body_or_path_is_refused(http: httpx.Client, path: str) -> None:
    body, others = ROUTES[path]
    later = {"Prefer": "respond-async"}
    first = post(http, path, body, "k", **later)
    assert first.status_code == 202, first.text
    assert post(http, path, dict(reversed(body.items())), "k", **later).json()["id"] == first.json()["id"]
    refusals = [post(http, path, other, "k", **later) for other in others]
    refusals += [post(http, other, ROUTES[other][0], "k") for other in ROUTES if other != path]
    for refused in refusals:
        problem = refused.json()
        assert (refused.status_code, problem["type"]) == (422, "urn:sandbox:idempotency-key-reused"), refused.text
        assert problem["errors"][0]["field"] == "header.Idempotency-Key"
    assert post(http, path, others[0], "another", **later).status_code == 202


def test_a_synchronous_result_is_replayed_and_no_other_request_gets_it(
    http: httpx.Client, worker_processes: WorkerProcesses
) -> None:
    worker_processes.start()
    accepted = post(http, "/verify", VERIFY, "right")
    assert accepted.json()["verdict"] == "accepted"
    assert post(http, "/verify", VERIFY, "right").content == accepted.content
    assert post(http, "/verify", {**VERIFY, "code": "print(0)"}, "right").status_code == 422
    wrong = {**REWARD, "completions": ["```python\nprint(0)\n```"]}
    assert post(http, "/reward", wrong, "right").status_code == 422
    assert post(http, "/reward", wrong, "wrong").json()["rewards"] == [0.0]


def test_repeated_and_fetched_rewards_are_the_same(http: httpx.Client, worker_processes: WorkerProcesses) -> None:
    worker_processes.start()
    rewards = post(http, "/reward", REWARD, "k").json()
    assert post(http, "/reward", REWARD, "k").json() == rewards
    job = post(http, "/reward", REWARD, "k", Prefer="respond-async").json()
    assert job["result"] == rewards
    nothing = {**REWARD, "completions": ["no code"]}
    assert post(http, "/reward", nothing, "none").json()["rewards"] == [0.0]
    assert post(http, "/reward", nothing, "none").status_code == 200
    assert post(http, "/reward", REWARD, "none").status_code == 422


def test_many_concurrent_duplicates_are_one_submission(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    start = threading.Barrier(8)

    def submit_at_start(_: int) -> Ticket:
        start.wait()
        return submit(service, build_printing_programs([1, 2]), batch=True, durable=True, idempotency_key="k")

    with ThreadPoolExecutor(8) as threads:
        ids = {ticket.id for ticket in threads.map(submit_at_start, range(8))}
    assert len(ids) == 1
    assert len(redis.keys("sandbox:job:*")) == 1
    worker_processes.start()
    assert get_stdouts(await_job(service, ids.pop())) == ["1", "2"]


def test_a_key_can_be_reused_after_its_job_has_expired(service: Service, redis: Redis) -> None:
    first = submit(service, build_printing_programs([1]), durable=True, idempotency_key="k")
    with pytest.raises(IdempotencyKeyReused):
        submit(service, build_printing_programs([2]), durable=True, idempotency_key="k")
    redis.delete(redis_keys.job(first.id))
    again = submit(service, build_printing_programs([2]), durable=True, idempotency_key="k")
    assert again.id != first.id
    assert service.get_job(again.id).id == again.id


def test_a_key_that_an_older_version_wrote_still_names_its_job(service: Service, redis: Redis) -> None:
    first = submit(service, build_printing_programs([1]), durable=True, idempotency_key="k")
    (name,) = redis.keys("sandbox:idempotency:*")
    redis.set(name, first.id, ex=60)
    assert submit(service, build_printing_programs([2]), durable=True, idempotency_key="k").id == first.id


def test_all_fields_of_a_request_are_compared_but_not_their_order(service: Service) -> None:
    def ask(code: str, **fields: object) -> Callable[[], Ticket]:
        request = ExecuteRequest(language="python", code=code, **fields)
        return lambda: submit(service, [request], durable=True, idempotency_key="k")

    first = ask("a", stdin="b")()
    assert ask("a", stdin="b")().id == first.id
    for other in (ask("ab"), ask("a", stdin="b", args=["c"]), ask("a", stdin_base64="Yg=="), ask("b", stdin="a")):
        with pytest.raises(IdempotencyKeyReused):
            other()
    with pytest.raises(IdempotencyKeyReused):
        submit(service, [ExecuteRequest(language="python", code="a", stdin="b")], batch=True, idempotency_key="k")
    with pytest.raises(IdempotencyKeyReused):
        service.submit(Submission("verify", [VerifyRequest.model_validate(VERIFY)], idempotency_key="k"))


def test_a_gpu_jobs_id_cannot_be_guessed_from_its_key(service: Service) -> None:
    request = GenerateRequest.model_validate(GENERATE)
    with act_as(Caller("boss", Role.ADMIN)):
        mine = service.start_gpu_job(GpuKind.GENERATE, request, "step-1")
        assert service.start_gpu_job(GpuKind.GENERATE, request, "step-1").id == mine.id
    with act_as(Caller("other", Role.ADMIN)):
        assert service.start_gpu_job(GpuKind.GENERATE, request, "step-1").id != mine.id
    assert service.start_gpu_job(GpuKind.GENERATE, request, "step-1").id != mine.id


def test_only_admins_may_see_a_gpu_job_whatever_its_id(service: Service, settings: QueueSettings) -> None:
    boss, other, trainer = (
        generate_key("boss", Role.ADMIN),
        generate_key("other", Role.ADMIN),
        generate_key("trainer", Role.SUBMIT),
    )
    api_keys = ",".join(each.entry for each in (boss, other, trainer))
    app = create_app(ApiSettings(home=settings.home, redis_url=settings.redis_url, api_keys=api_keys), service)

    def bearer(key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}"}

    with serve_in_thread(app) as url, httpx.Client(base_url=url) as http:
        job = http.post("/generate", json=GENERATE, headers=bearer(boss.key)).json()
        for path in ("/generate", "/train/sft", "/train/grpo", "/evaluate"):
            assert http.post(path, json=GENERATE, headers=bearer(trainer.key)).status_code == 403
        for method, path in (("GET", "/jobs/{}"), ("DELETE", "/jobs/{}"), ("GET", "/jobs/{}/events")):
            refused = http.request(method, path.format(job["id"]), headers=bearer(trainer.key))
            unknown = http.request(method, path.format("gpu-" + "0" * 32), headers=bearer(trainer.key))
            assert (refused.status_code, unknown.status_code) == (404, 404)
            assert "it never existed, or its result has expired" in refused.json()["detail"]
        assert http.get(f"/jobs/{job['id']}", headers=bearer(boss.key)).json()["status"] == "queued"
        assert http.delete(f"/jobs/{job['id']}", headers=bearer(other.key)).json()["status"] == "cancelled"
        own = http.post("/execute", json=ADD, headers={**bearer(trainer.key), "Prefer": "respond-async"}).json()
        http.delete(f"/jobs/{own['id']}", headers=bearer(trainer.key))
        events = http.get(f"/jobs/{own['id']}/events", headers=bearer(trainer.key))
        assert (events.status_code, b'"cancelled"' in events.content) == (200, True)
