"""Test an outage where no box starts: it is detected within 30 s, clients get errors, and stored jobs remain."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from sandbox.box.docker.leftovers import remove_boxes
from sandbox.config import QueueSettings
from sandbox.errors import CannotRun, LanguageNotInstalled, QueueUnavailable
from sandbox.queue import outage, redis_keys
from sandbox.schema import JobStatus, Lane
from sandbox.service import Service
from sandbox.worker.retry import ENGINE_TIMEOUT_S
from tests.engine_socket import EngineSocket
from tests.queue.sample_programs import build_printing_programs, build_program
from tests.queue.submit_and_wait import await_job, await_outputs, get_stdouts, submit, wait_until
from tests.worker_processes import WorkerProcesses

SLACK_S = 15.0  # for a busy machine and one heartbeat per second
SHORT_TIMEOUT_S = 4.0  # instead of the worker's and the monitor's own limits
SLOTS = 130
A_NEW_BOX_EACH = {"SANDBOX_BOX_MAX_RUNS": "1"}


@pytest.fixture
def engine_socket(settings: QueueSettings) -> Iterator[EngineSocket]:
    with EngineSocket(settings.home / "engine.sock") as opened:
        yield opened


@pytest.fixture
def worker_processes(
    images: dict[str, str], settings: QueueSettings, engine_socket: EngineSocket
) -> Iterator[WorkerProcesses]:
    """Yield workers that need a new box for each program, and whose engine a test can stop."""
    assert images
    with WorkerProcesses(settings, SLOTS, DOCKER_HOST=engine_socket.url, **A_NEW_BOX_EACH) as worker_processes:
        yield worker_processes
    remove_boxes(settings.home)


def _await_failure(service: Service, lane: Lane) -> BaseException | None:
    (future,) = submit(service, [build_program("print(1)", lane)]).results
    return future.exception(timeout=ENGINE_TIMEOUT_S + SLACK_S)


def test_an_outage_of_the_engine_is_detected_and_ends_when_it_returns(
    service: Service, worker_processes: WorkerProcesses, engine_socket: EngineSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (ENGINE_TIMEOUT_S, outage.OUTAGE_AFTER_S) == (30.0, 30.0)
    monkeypatch.setattr(outage, "OUTAGE_AFTER_S", SHORT_TIMEOUT_S)
    worker_processes.prelude = f"from sandbox.worker import retry; retry.ENGINE_TIMEOUT_S = {SHORT_TIMEOUT_S}; "
    worker_processes.start(2)
    assert await_outputs(submit(service, build_printing_programs(range(4)), batch=True)) == [
        "0",
        "1",
        "2",
        "3",
    ]

    engine_socket.close()
    began = time.monotonic()
    waiting = [
        submit(service, [build_program("print(1)", lane)] * 3, batch=True).results
        for lane in (Lane.RL, Lane.DEFAULT, Lane.BULK)
    ]
    kept = submit(service, build_printing_programs(range(5)), durable=True, batch=True)
    with_key = submit(service, [build_program("print('once')")], idempotency_key="again")
    failures = [future.exception(SHORT_TIMEOUT_S + SLACK_S) for futures in waiting for future in futures]
    assert {type(failure) for failure in failures} == {CannotRun}
    assert isinstance(with_key.results[0].exception(SLACK_S), CannotRun)
    assert time.monotonic() - began < SHORT_TIMEOUT_S + SLACK_S

    readiness = service.check_readiness()
    assert not readiness.ready
    assert readiness.waiting_for_box_s > outage.OUTAGE_AFTER_S
    assert all("has been waiting for a box (python) since 20" in problem for problem in readiness.problems)
    assert {slot.state for slot in service.get_live_view().slots} == {"warming"}
    assert all(slot.waiting_since and slot.waiting_for for slot in service.get_live_view().slots)
    for lane in (Lane.RL, Lane.DEFAULT, Lane.BULK):
        with pytest.raises(CannotRun):
            submit(service, [build_program("print(1)", lane)])
    with pytest.raises(CannotRun):
        submit(service, [build_program("print(1)")], idempotency_key="another")
    late = submit(service, [build_program("print('late')")], durable=True)
    durable = [kept.id, late.id]
    wait_until(
        lambda: {service.get_job(job).status for job in durable} == {JobStatus.QUEUED}, "they are queued", SLACK_S
    )

    engine_socket.open()
    wait_until(lambda: service.check_readiness().ready, "it is ready as soon as boxes start", SLACK_S)
    wait_until(lambda: not service.check_readiness().problems, "every worker has a box again", SLACK_S)
    assert get_stdouts(await_job(service, kept.id)) == ["0", "1", "2", "3", "4"]
    assert get_stdouts(await_job(service, late.id)) == ["late"]
    wait_until(lambda: _await_output_or_none(service, "another") == "again", "clients are served again", SLACK_S)
    assert await_outputs(submit(service, [build_program("print('once')")], idempotency_key="again")) == ["once"]


def _await_output_or_none(service: Service, key: str) -> str | None:
    try:
        return await_outputs(submit(service, [build_program("print('again')")], idempotency_key=key))[0]
    except CannotRun:
        return None


def test_a_hanging_engine_does_not_block_clients(
    service: Service, worker_processes: WorkerProcesses, engine_socket: EngineSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker_processes.start()
    monkeypatch.setattr(outage, "OUTAGE_AFTER_S", 1.5)
    engine_socket.hang()
    kept = submit(service, [build_program("print('kept')")], durable=True)
    assert isinstance(_await_failure(service, Lane.RL), CannotRun)
    assert not service.check_readiness().ready
    engine_socket.close()
    engine_socket.open()
    wait_until(lambda: service.check_readiness().ready, "it is ready as soon as the engine answers", SLACK_S)
    assert get_stdouts(await_job(service, kept.id)) == ["kept"]


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        ({"SANDBOX_DOCKER_RUNTIME": "no-such-runtime"}, "no-such-runtime"),
        ({"DOCKER_HOST": "unix:///nowhere/docker.sock"}, "cannot reach the Docker engine"),
    ],
    ids=["runtime", "socket"],
)
def test_a_worker_that_never_had_a_box_is_not_ready_and_says_why(
    service: Service,
    settings: QueueSettings,
    redis: Redis,
    images: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    broken: dict[str, str],
    named: str,
) -> None:
    assert images
    monkeypatch.setattr(outage, "OUTAGE_AFTER_S", 1.5)
    kept = submit(service, [build_program("print('kept')")], durable=True)
    (waiting,) = submit(service, [build_program("print(1)", Lane.RL)]).results
    with WorkerProcesses(settings, SLOTS, **broken) as worker_processes:
        worker = worker_processes._start_one(())
        wait_until(lambda: redis.zcard(redis_keys.STARTING), "the worker reports itself")
        assert isinstance(waiting.exception(timeout=SLACK_S + 10), CannotRun)
        wait_until(lambda: named in " ".join(service.check_readiness().problems), "readiness names what failed")
        readiness = service.check_readiness()
        assert (readiness.ready, readiness.workers) == (False, 0)
        assert worker.poll() is None, worker_processes.read_log()
        assert service.get_job(kept.id).status is JobStatus.QUEUED
    with WorkerProcesses(settings, SLOTS) as worker_processes:
        worker_processes.start()
        assert get_stdouts(await_job(service, kept.id)) == ["kept"]
    wait_until(lambda: not redis.exists(redis_keys.STARTING), "workers that stopped are forgotten")
    remove_boxes(settings.home)


def test_without_any_worker_clients_do_not_wait_for_minutes(
    service: Service, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "OUTAGE_AFTER_S", 2.0)
    (future,) = submit(service, [build_program("print(1)")]).results
    kept = submit(service, [build_program("print(1)")], durable=True)
    assert isinstance(future.exception(timeout=SLACK_S), CannotRun)
    with pytest.raises(CannotRun):
        submit(service, [build_program("print(1)")])
    assert service.get_job(kept.id).status is JobStatus.QUEUED
    assert service.check_readiness().problems == ["no worker is alive"]
    assert redis.llen(redis_keys.rq_queue(Lane.DEFAULT)) >= 1


def test_the_monitor_continues_if_clients_cannot_be_notified(
    redis: Redis, settings: QueueSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outage, "OUTAGE_AFTER_S", 0.0)
    reasons: list[str] = []

    def fail(why: str) -> None:
        reasons.append(why)
        raise QueueUnavailable("the queue does not answer")

    watch = outage.OutageMonitor(redis, settings.lease_s, fail)
    watch.start()
    try:
        wait_until(lambda: len(reasons) > 1, "it looks again after a failure", SLACK_S)
    finally:
        watch.close()
    assert set(reasons) == {"no worker is alive"}


def test_a_missing_image_fails_only_its_own_language(
    service: Service, settings: QueueSettings, redis: Redis, images: dict[str, str]
) -> None:
    """The image of C++ is missing: its clients get errors at once, the other items of a batch run, and Python works."""
    assert images
    hidden = (
        "from sandbox.box.docker import engine; find = engine.find_tag; "
        "engine.find_tag = lambda image: 'no-such-image:1' if image == 'cpp' else find(image); "
    )
    with WorkerProcesses(settings, SLOTS) as worker_processes:
        worker_processes.prelude = hidden
        worker_processes.start()
        cpp = build_program("int main() {}").model_copy(update={"language": "cpp"})
        (alone,) = submit(service, [cpp]).results
        failure = alone.exception(timeout=SLACK_S)
        assert isinstance(failure, CannotRun)
        assert b'"internal_error"' in failure.result
        kept = submit(service, [cpp, *build_printing_programs([3])], durable=True, batch=True)
        assert await_outputs(submit(service, build_printing_programs(range(3)), batch=True)) == [
            "0",
            "1",
            "2",
        ]
        wait_until(lambda: redis.hlen(redis_keys.results(kept.id)) == 1, "what can run of a kept batch has run")
        assert service.check_readiness().ready
        assert service.get_job(kept.id).status is not JobStatus.FINISHED
    with WorkerProcesses(settings, SLOTS) as worker_processes:
        worker_processes.start()
        assert get_stdouts(await_job(service, kept.id)) == ["", "3"]
    remove_boxes(settings.home)


def test_a_language_that_no_worker_has_is_refused_with_the_command_to_install_it(
    service: Service, settings: QueueSettings, images: dict[str, str]
) -> None:
    assert images
    with WorkerProcesses(settings, SLOTS) as worker_processes:
        worker_processes.prelude = (
            "from sandbox.box.docker import images; tag = images.compute_image_tag; "
            "images.compute_image_tag = lambda name: 'no-such-image:1' if name == 'cpp' else tag(name); "
        )
        worker_processes.start()
        wait_until(lambda: "cpp" in service.get_missing_languages(), "the worker has told what it lacks")
        assert {"c", "cpp", "cpp17", "cpp20"} <= service.get_missing_languages()
        assert not {"python", "bash", "javascript"} & service.get_missing_languages()
        cpp = build_program("int main() {}").model_copy(update={"language": "c++"})
        with pytest.raises(LanguageNotInstalled, match="cpp is not installed: run `sandbox images build cpp`") as one:
            submit(service, [cpp])
        assert one.value.field == "language"
        with pytest.raises(LanguageNotInstalled) as several:
            submit(service, [*build_printing_programs([1]), cpp], batch=True)
        assert several.value.field == "items.1.language"
        assert await_outputs(submit(service, build_printing_programs(range(2)), batch=True)) == [
            "0",
            "1",
        ]
    remove_boxes(settings.home)
