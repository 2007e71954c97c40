"""Test that versions that differ by one work together: a worker passes on a batch that it cannot read."""

from __future__ import annotations

import json

import pytest
from redis import Redis

from sandbox.queue import intake, job_batch, redis_keys, transit
from sandbox.queue.submission import Submission
from sandbox.schema import VerifyRequest
from sandbox.service import Service
from tests import worker_processes as processes_module
from tests.queue.sample_programs import build_printing_programs
from tests.queue.submit_and_wait import await_job, await_outputs, get_stdouts, submit, wait_until
from tests.worker_processes import WorkerProcesses

ITEM = b'{"submission":"s","submitted_at":1.0,"execute":{"language":"python","code":""}}'


def test_a_batch_states_its_version_and_the_default_is_the_first() -> None:
    assert job_batch.parse_batch(job_batch.pack([ITEM])).version == job_batch.FORMAT_VERSION
    assert job_batch.parse_batch(b'{"items":[%b]}' % ITEM).version == 1


def test_unknown_fields_of_a_newer_version_are_ignored() -> None:
    newer = ITEM[:-1] + b',"something_new":true}'
    assert job_batch.parse_batch(job_batch.pack([newer])).items[0].submission == "s"


@pytest.mark.parametrize(
    "content",
    [
        b'{"version":%d,"items":[%b]}' % (job_batch.FORMAT_VERSION + 1, ITEM),
        job_batch.pack([ITEM.replace(b'"code":""', b'"code":"","limit_of_the_future":1')]),
        b'{"boxes":[]}',
        b"secret, and no JSON",
    ],
)
def test_the_error_for_an_unreadable_batch_does_not_quote_it(content: bytes) -> None:
    with pytest.raises(job_batch.UnreadableBatch) as caught:
        job_batch.parse_batch(content)
    assert "secret" not in str(caught.value)


def test_an_older_worker_passes_on_a_batch_it_cannot_read_and_a_newer_one_runs_it(
    service: Service, worker_processes: WorkerProcesses, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = (
        "from sandbox.queue import job_batch; "
        f"job_batch.FORMAT_VERSION = {job_batch.FORMAT_VERSION - 1}; {processes_module.COMMAND}"
    )
    with monkeypatch.context() as patch:
        patch.setattr(processes_module, "COMMAND", older)
        worker_processes.start()
    readiness = service.check_readiness()
    assert not readiness.ready
    assert "older version" in readiness.problems[0]
    kept = submit(service, build_printing_programs(range(5)), batch=True, durable=True)
    awaited = submit(service, build_printing_programs(range(5, 10)), batch=True)
    wait_until(lambda: "passed on" in worker_processes.read_log(), "the older worker passes it on")
    assert service.get_job(kept.id).result is None
    worker_processes.start()
    assert await_outputs(awaited) == [str(number) for number in range(5, 10)]
    assert get_stdouts(await_job(service, kept.id)) == [str(number) for number in range(5)]
    assert service.check_readiness().ready
    wait_until(lambda: redis.hlen(redis_keys.CLAIMS) == 0, "nothing is claimed any more")


@pytest.mark.parametrize("durable", [False, True])
def test_a_batch_that_no_worker_can_read_ends_with_internal_errors(
    durable: bool, service: Service, worker_processes: WorkerProcesses, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = transit.encode_item

    def with_a_field_of_the_future(item: job_batch.Item) -> bytes:
        return packed(item).replace(b'"code":"print(1)"', b'"code":"print(1)","future":1')

    monkeypatch.setattr(intake, "encode_item", with_a_field_of_the_future)
    impatient = "from sandbox.worker import unreadable_batches as batches; batches.MAX_UNREADABLE_RETURNS = 3"
    with monkeypatch.context() as patch:
        patch.setattr(processes_module, "COMMAND", f"{impatient}; {processes_module.COMMAND}")
        worker_processes.start()
    tests = [{"expected": "1"}, {"expected": "2"}]
    verify = VerifyRequest.model_validate({"language": "python", "code": "print(1)", "tests": tests})
    ticket = service.submit(Submission("verify", [verify], durable=durable))
    if durable:
        result = await_job(service, ticket.id).result
    else:
        result = json.loads(ticket.results[0].result(30))
    assert result is not None
    assert (result["verdict"], result["total"]) == ("internal_error", 2)
    assert "no worker can read the request" in result["tests"][1]["message"]
    wait_until(lambda: redis.hlen(redis_keys.CLAIMS) == 0, "nothing is claimed any more")
    assert redis.keys("sandbox:envelope:*") == []
    assert redis.keys("sandbox:passes:*") == []


def test_a_newer_worker_runs_batches_of_an_older_service(
    service: Service, worker_processes: WorkerProcesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_processes.start()
    monkeypatch.setattr(job_batch, "pack", lambda items: b'{"items":[' + b",".join(items) + b"]}")
    assert await_outputs(submit(service, build_printing_programs(range(3)), batch=True)) == [
        "0",
        "1",
        "2",
    ]


def test_a_worker_reports_its_version(service: Service, worker_processes: WorkerProcesses, redis: Redis) -> None:
    worker_processes.start()
    (description,) = [json.loads(text) for text in redis.mget(redis.keys("sandbox:worker:*"))]
    assert description["reads"] == job_batch.FORMAT_VERSION
    assert description["version"]
