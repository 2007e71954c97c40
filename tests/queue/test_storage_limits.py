"""Test the storage limits, per key and in total: work is refused before Redis is full, and no accepted work is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from redis import Redis
from redis.exceptions import RedisError

from sandbox.api.app import create_app
from sandbox.api.keyring import generate_key, parse_keyring
from sandbox.config import ApiSettings, QueueSettings
from sandbox.errors import StorageFull, StorageQuotaExceeded
from sandbox.queue import redis_keys, storage_account, storage_limits
from sandbox.request_context import Caller, Role
from sandbox.schema import ExecuteRequest, JobStatus
from sandbox.schema.gpu import GenerateRequest, GpuKind
from sandbox.schema.reward import TaskSet
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.queue.sample_programs import build_printing_programs, build_program, build_sleeping_program
from tests.queue.submit_and_wait import act_as, await_job, await_outputs, await_results, submit, wait_until
from tests.redis_server import RedisServer
from tests.running_service import run_service
from tests.worker_processes import WorkerProcesses

MB = 1 << 20
PRINTS_A_MEGABYTE = build_program("print('x' * (1 << 20))")


def build_input_program(size: int) -> ExecuteRequest:
    return ExecuteRequest(language="python", code="print(len(input()))", stdin="x" * size)


def read_total(redis: Redis, owner: str = "") -> int:
    return int(redis.hget(redis_keys.STORED_TOTALS, f"of {owner}" if owner else storage_account.ALL_OWNERS) or 0)


def build_task_set(size: int, name: str = "a") -> tuple[str, bytes]:
    tests = [{"stdin": "x" * size, "expected": name}]
    body = TaskSet.model_validate({"tasks": {name: {"tests": tests}}}).model_dump_json(exclude_unset=True).encode()
    return TaskSet.compute_id(body), body


# --- the account


def test_a_job_is_charged_for_its_requests_and_then_for_its_results(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    with act_as(Caller("a", max_kept_mb=10)):
        job = submit(service, [build_input_program(MB), build_input_program(2 * MB)], batch=True, durable=True)
        assert 3 * MB < read_total(redis, "a") == read_total(redis) < 3.1 * MB
        worker_processes.start()
        await_job(service, job.id)
        wait_until(lambda: read_total(redis, "a") < 10_000, "the requests do not count any more")
        assert read_total(redis, "a") > 2 * 200
        second = submit(service, [PRINTS_A_MEGABYTE], durable=True)
        await_job(service, second.id)
        wait_until(lambda: MB < read_total(redis, "a") < 1.1 * MB, "the result counts")
    assert 0 < redis.zscore(redis_keys.STORED_UNTIL, storage_account.submission_member(job.id)) - time.time() <= 3_600
    assert all(
        redis.ttl(key) > 0 for key in (redis_keys.STORED_UNTIL, redis_keys.STORED_SIZES, redis_keys.STORED_TOTALS)
    )


def test_a_key_over_its_quota_is_refused_and_another_is_not(service: Service, redis: Redis) -> None:
    with act_as(Caller("a", max_kept_mb=1)):
        submit(service, [build_input_program(700_000)], durable=True)
        before = set(redis.scan_iter("sandbox:*"))
        for options in ({"durable": True}, {"idempotency_key": "k"}):
            with pytest.raises(StorageQuotaExceeded, match="over this API key's quota") as refused:
                submit(service, [build_input_program(700_000)], **options)
            assert refused.value.retry_after_s > 0
        set_id, body = build_task_set(700_000)
        with pytest.raises(StorageQuotaExceeded):
            service.put_tasks(set_id, body)
        assert set(redis.scan_iter("sandbox:*")) == before
        submit(service, [build_input_program(100_000)], durable=True)
        submit(service, [build_input_program(700_000)])  # nothing is stored for a client that waits
    with act_as(Caller("b", max_kept_mb=1)):
        submit(service, [build_input_program(700_000)], durable=True)
        service.put_tasks(*build_task_set(100_000))


def test_a_cancelled_job_is_charged_only_for_its_results(service: Service, redis: Redis) -> None:
    with act_as(Caller("a", max_kept_mb=1)):
        job = submit(service, [build_input_program(700_000)], durable=True)
        assert service.cancel(job.id).status is JobStatus.CANCELLED
        assert read_total(redis, "a") < 1_000
        assert service.cancel(job.id).status is JobStatus.CANCELLED
        submit(service, [build_input_program(700_000)], durable=True)


def test_expired_jobs_are_not_charged(service: Service, redis: Redis) -> None:
    with act_as(Caller("a", max_kept_mb=1)):
        job = submit(service, [build_input_program(900_000)], durable=True)
        redis.zadd(redis_keys.STORED_UNTIL, {storage_account.submission_member(job.id): time.time() - 1})
        submit(service, [build_input_program(900_000)], durable=True)
    assert redis.zcard(redis_keys.STORED_UNTIL) == 1


def test_a_task_set_is_charged_only_to_its_first_owner(service: Service, redis: Redis) -> None:
    set_id, body = build_task_set(300_000)
    for name in ("a", "b", "a"):
        with act_as(Caller(name, max_kept_mb=1)):
            service.put_tasks(set_id, body)
    assert (read_total(redis, "a") > 300_000, read_total(redis, "b")) == (True, 0)
    redis.zadd(redis_keys.STORED_UNTIL, {storage_account.task_set_member(set_id): time.time() + 5})
    service.get_tasks([f"{set_id}/a"])
    assert redis.zscore(redis_keys.STORED_UNTIL, storage_account.task_set_member(set_id)) > time.time() + 600_000


def test_all_clients_together_have_a_limit(redis: Redis, settings: QueueSettings) -> None:
    service = Service(settings.model_copy(update={"max_kept_mb": 2}))
    for name in ("a", "b"):
        with act_as(Caller(name, max_kept_mb=1)):
            submit(service, [build_input_program(900_000)], durable=True)
    with act_as(Caller("c", max_kept_mb=1)), pytest.raises(StorageFull, match="over the limit for all clients"):
        submit(service, [build_input_program(900_000)], durable=True)
    with pytest.raises(StorageFull):
        service.put_tasks(*build_task_set(900_000))


def test_output_over_the_quota_of_a_key_is_not_stored_and_its_result_says_so(
    service: Service, worker_processes: WorkerProcesses, redis: Redis
) -> None:
    worker_processes.start()
    with act_as(Caller("a", max_kept_mb=2)):
        job = submit(service, [PRINTS_A_MEGABYTE] * 6, batch=True, durable=True)
        results = (await_job(service, job.id).result or {})["results"]
    kept = [result for result in results if result["stdout"]]
    dropped = [result for result in results if not result["stdout"]]
    assert kept, "the first one had room"
    assert len(dropped) >= 3
    for result in results:
        assert (result["status"], result["exit_code"]) == ("ok", 0)
    assert all(
        result["stdout_truncated"] and storage_limits.NOT_STORED_MESSAGE in result["message"] for result in dropped
    )
    assert not any(result["stdout_truncated"] for result in kept)
    assert read_total(redis, "a") < 3 * MB


# --- a Redis that fills


@pytest.fixture
def small_redis(own_server: RedisServer) -> Iterator[Redis]:
    client = own_server.connect()
    client.config_set("maxmemory", "40mb")
    client.config_set("maxmemory-policy", "noeviction")
    yield client
    client.close()


@pytest.fixture
def own_settings(own_server: RedisServer, own_home: Path) -> QueueSettings:
    return QueueSettings(home=own_home, redis_url=own_server.build_url(), result_ttl_s=20)


@pytest.fixture
def small(small_redis: Redis, own_settings: QueueSettings) -> Iterator[Service]:
    assert small_redis.ping()
    with run_service(own_settings) as service:
        yield service


def fill_redis(redis: Redis, fraction: float) -> None:
    """Fill Redis until it uses this fraction of its memory limit."""
    number = 0
    while redis.info("memory")["used_memory"] < fraction * 40 * MB:
        try:
            redis.set(f"junk:{number}", b"x" * 100_000)
        except RedisError:
            return
        number += 1


def remove_filler(redis: Redis) -> None:
    names = redis.keys("junk:*")
    redis.delete(*names)


@pytest.mark.parametrize("max_kept_mb", [0, 1_000])
def test_stored_work_fills_redis_up_to_the_limit_but_not_beyond(
    images: dict[str, str], small_redis: Redis, own_settings: QueueSettings, max_kept_mb: int
) -> None:
    """Check both limits: the account (`max_kept_mb`) and the memory usage of Redis."""
    assert images
    settings = own_settings.model_copy(update={"max_kept_mb": max_kept_mb})
    service = Service(settings)
    service.start()
    copying = ExecuteRequest(language="python", code="print(input() * 4)", stdin="x" * 500_000)
    accepted: list[str] = []
    with WorkerProcesses(
        settings, 120, SANDBOX_MAX_KEPT_MB=str(max_kept_mb), SANDBOX_RESULT_TTL_S="600"
    ) as worker_processes:

        def fill_up() -> None:
            for _ in range(1_000):
                accepted.append(submit(service, [copying] * 2, batch=True, durable=True).id)

        with pytest.raises(StorageFull) as refused:
            fill_up()
        assert refused.value.retry_after_s > 1
        assert 10 < len(accepted) < 45
        assert small_redis.info("memory")["used_memory"] < 0.9 * 40 * MB
        worker_processes.start(2)
        for job_id in accepted:
            results = (await_job(service, job_id).result or {})["results"]
            assert [result["status"] for result in results] == ["ok", "ok"]
            for result in results:
                assert (
                    result["stdout"] == "x" * 2_000_000 + "\n" or storage_limits.NOT_STORED_MESSAGE in result["message"]
                )
            assert small_redis.info("memory")["used_memory"] < 40 * MB
        assert _accepts(service) == (max_kept_mb == 0)  # results without their output leave room in Redis
        _expire_results(small_redis)
        wait_until(lambda: _accepts(service), "expired results make room", 60)
        assert await_outputs(submit(service, build_printing_programs([1]))) == ["1"]
    service.close()


def _expire_results(redis: Redis) -> None:
    """Let all results expire now: their keys in Redis, and their sizes in the account."""
    for key in redis.scan_iter(f"{redis_keys.results('*')}"):
        assert 0 < redis.ttl(key) <= 600
        redis.pexpire(key, 1)
    for member in redis.zrange(redis_keys.STORED_UNTIL, 0, -1):
        redis.zadd(redis_keys.STORED_UNTIL, {member: time.time() - 1})


def _accepts(service: Service) -> bool:
    try:
        submit(service, build_printing_programs([1]), durable=True)
    except StorageFull:
        time.sleep(1)
        return False
    return True


def test_a_nearly_full_redis_refuses_stored_work_first_and_then_all_work(small: Service, small_redis: Redis) -> None:
    fill_redis(small_redis, storage_limits.STORE_BELOW_FRACTION + 0.02)
    wait_until(lambda: small.check_readiness().problems, "it was seen")
    time.sleep(1.2)
    assert any("only requests whose client waits" in problem for problem in small.check_readiness().problems)
    for keep in (
        lambda: submit(small, build_printing_programs([1]), durable=True),
        lambda: submit(small, build_printing_programs([1]), idempotency_key="k"),
        lambda: small.put_tasks(*build_task_set(10)),
        lambda: small.start_gpu_job(GpuKind.GENERATE, GenerateRequest(model="m", prompts=["p"])),
    ):
        with pytest.raises(StorageFull):
            keep()
    assert submit(small, build_printing_programs([1])).results
    fill_redis(small_redis, storage_limits.ACCEPT_BELOW_FRACTION + 0.02)
    wait_until(
        lambda: any("no work is accepted" in problem for problem in small.check_readiness().problems), "it was seen"
    )
    assert not small.check_readiness().ready
    usage = small.check_readiness().storage_bytes
    assert usage["used"] > 0.9 * usage["limit"] == 0.9 * 40 * MB
    with pytest.raises(StorageFull):
        submit(small, build_printing_programs([1]))
    remove_filler(small_redis)
    wait_until(lambda: not any("MiB" in problem for problem in small.check_readiness().problems), "there is room again")
    assert submit(small, build_printing_programs([1]), durable=True).id


def test_a_full_redis_loses_no_accepted_work(
    images: dict[str, str], small: Service, small_redis: Redis, own_settings: QueueSettings
) -> None:
    assert images
    with WorkerProcesses(own_settings, 122) as worker_processes:
        workers = worker_processes.start(2)
        kept = submit(small, [build_sleeping_program(2.0, "kept")], durable=True)
        waited_for = submit(small, [build_sleeping_program(2.0, "waited for")])
        wait_until(lambda: small_redis.hlen(redis_keys.CLAIMS) == 2, "both run")
        queued = submit(small, [build_sleeping_program(0.1, number) for number in range(20)], batch=True, durable=True)
        small_redis.config_set("maxmemory", "100kb")
        with pytest.raises(StorageFull):
            small.put_tasks(*build_task_set(100_000))
        time.sleep(5)
        assert small.get_job(kept.id).result is None
        assert all(worker.poll() is None for worker in workers), "a full Redis kills no worker"
        small_redis.config_set("maxmemory", "40mb")
        assert await_outputs(waited_for) == ["waited for"]
        assert (await_job(small, kept.id).result or {})["stdout"] == "kept\n"
        results = (await_job(small, queued.id).result or {})["results"]
        assert [result["stdout"].strip() for result in results] == [str(number) for number in range(20)]


def test_a_result_too_large_for_a_full_redis_arrives_without_its_output(
    images: dict[str, str], small: Service, small_redis: Redis, own_settings: QueueSettings
) -> None:
    """Data being sent to Redis counts as used memory, too, so the result would never fit with its output."""
    assert images
    with WorkerProcesses(own_settings, 124) as worker_processes:
        worker_processes.start()
        large = build_program("import time\ntime.sleep(1.5)\nprint('x' * (8 << 20))")
        waited_for = submit(small, [large])
        wait_until(lambda: small_redis.hlen(redis_keys.CLAIMS) == 1, "it runs")
        small_redis.config_set("maxmemory", str(small_redis.info("memory")["used_memory"] + 4 * MB))
        result = await_results(waited_for)[0]
        assert (result.status, result.stdout, result.stdout_truncated) == ("ok", "", True)
        assert storage_limits.NOT_STORED_MESSAGE in result.message


# --- over HTTP


def test_each_refusal_is_a_problem_with_its_own_status(settings: QueueSettings, redis: Redis) -> None:
    key, boss = generate_key("a", Role.SUBMIT), generate_key("b", Role.ADMIN)
    api_keys = f"{key.entry}:kept=1,{boss.entry}"
    service = Service(settings.model_copy(update={"max_kept_mb": 2}))
    app = create_app(ApiSettings(home=settings.home, redis_url=settings.redis_url, api_keys=api_keys), service)
    body = build_input_program(700_000).model_dump(mode="json", exclude_unset=True)
    later = {"Prefer": "respond-async"}
    with serve_in_thread(app) as url, httpx.Client(base_url=url) as http:

        def post(token: str) -> httpx.Response:
            return http.post("/execute", json=body, headers={**later, "Authorization": f"Bearer {token}"})

        assert [post(key.key).status_code, post(boss.key).status_code] == [202, 202]
        over, full = post(key.key), post(boss.key)
        metrics = http.get("/metrics", headers={"Authorization": f"Bearer {boss.key}"}).text
    assert (over.status_code, over.json()["type"]) == (507, "urn:sandbox:storage-quota-exceeded")
    assert (full.status_code, full.json()["type"]) == (503, "urn:sandbox:storage-full")
    assert int(over.headers["retry-after"]) > 1
    assert int(full.headers["retry-after"]) > 1
    assert "sandbox_kept_bytes" in metrics
    assert 'sandbox_redis_memory_bytes{state="used"}' in metrics
    assert 'reason="StorageFull"' in metrics


def test_the_entry_of_a_key_has_its_storage_quota() -> None:
    key = generate_key("a", Role.SUBMIT)
    ring = parse_keyring(f"{key.entry}:rate=5:kept=64", Caller("", max_kept_mb=7))
    assert ring.authenticate(key.key.encode()).max_kept_mb == 64
    assert parse_keyring(key.entry, Caller("", max_kept_mb=7)).authenticate(key.key.encode()).max_kept_mb == 7
