"""Test that large texts go through files if all workers are on one host, and that they arrive unchanged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from redis import Redis

from sandbox.config import QueueSettings
from sandbox.queue import redis_keys
from sandbox.queue.job_batch import Item, JobBatch
from sandbox.queue.large_texts import MIN_PAYLOAD_CHARS
from sandbox.queue.payload_files import MAX_REUSABLE_FILES, PAGE_BYTES, PayloadFiles, PayloadMissing
from sandbox.queue.submission import Submission
from sandbox.runner.contract import FileSpan
from sandbox.schema import ExecuteRequest, TestCase, VerifyRequest, VerifyResult
from sandbox.schema.checkers import ExactChecker
from sandbox.service import Service
from tests.queue.sample_programs import build_sleeping_program
from tests.queue.submit_and_wait import await_results, submit, wait_until
from tests.worker_processes import WorkerProcesses

TEXT = "Größe, 数, \\n and \n\0 " * (MIN_PAYLOAD_CHARS // 8)


def build_request(code: str, *tests: TestCase) -> VerifyRequest:
    return VerifyRequest(language="python", code=code, tests=list(tests), checker=ExactChecker(type="exact"))


def build_echo_request() -> VerifyRequest:
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    return build_request(code, TestCase(stdin="small", expected="small"), TestCase(stdin=TEXT, expected=TEXT))


def read_stdins(
    payload_files: PayloadFiles, item_id: str, request: VerifyRequest, spans: dict[str, tuple[int, int]]
) -> list[bytes]:
    with payload_files.restore(item_id, request, spans) as whole:
        return [test.stdin_bytes for test in whole.tests if isinstance(test, TestCase)]


def list_files(settings: QueueSettings) -> list[Path]:
    return list((settings.home / "spool").glob("*.item"))


def is_externalized(redis: Redis) -> bool:
    (content,) = [redis.get(key) for key in redis.keys(redis_keys.job_batch("*"))]
    return bool(JobBatch.model_validate_json(content).items[0].spooled)


def test_externalized_texts_are_restored_as_bytes(tmp_path: Path) -> None:
    payload_files = PayloadFiles(tmp_path)
    item = Item(submission="one", submitted_at=0.0, verify=build_echo_request())
    sent = Item.model_validate_json(payload_files.externalize_item(item).model_dump_json(exclude_unset=True))
    assert sent.verify is not None
    assert len(sent.model_dump_json()) < MIN_PAYLOAD_CHARS
    with PayloadFiles(tmp_path).restore_item(sent) as whole:
        there = whole.verify
        assert there is not None
        for test in there.tests:
            assert isinstance(test, TestCase)
        assert [(test.stdin_bytes, test.expected_bytes) for test in there.tests if isinstance(test, TestCase)] == [
            (b"small", b"small"),
            (TEXT.encode(), TEXT.encode()),
        ]
    payload_files.drop("one")
    with pytest.raises(PayloadMissing), payload_files.restore_item(sent):
        pass


def test_a_file_is_reused_for_the_next_item(tmp_path: Path) -> None:
    payload_files = PayloadFiles(tmp_path)
    first, second = (
        build_request("", TestCase(stdin=letter * size, expected="")) for letter, size in (("a", 90_000), ("b", 70_000))
    )
    taken = {name: payload_files.externalize(name, first)[1] for name in ("one", "two")}
    payload_files.drop("one")
    inode = next(tmp_path.glob("spool/*.kept")).stat().st_ino
    lighter, spans = payload_files.externalize("three", second)
    assert (tmp_path / "spool" / "three.item").stat().st_ino == inode
    assert read_stdins(payload_files, "three", lighter, spans) == [b"b" * 70_000]
    assert read_stdins(payload_files, "two", first, taken["two"]) == [b"a" * 90_000]
    with pytest.raises(PayloadMissing):
        read_stdins(payload_files, "one", first, taken["one"])


def test_a_file_in_use_is_not_overwritten(tmp_path: Path) -> None:
    """A program of the old item may still read its input, and must not see the input of the new item."""
    payload_files = PayloadFiles(tmp_path)
    first, second = (build_request("", TestCase(stdin=letter * 70_000, expected="")) for letter in "ab")
    lighter, spans = payload_files.externalize("one", first)
    with payload_files.restore("one", lighter, spans) as there:
        payload_files.drop("one")
        payload_files.externalize("two", second)
        assert [test.stdin_bytes for test in there.tests if isinstance(test, TestCase)] == [b"a" * 70_000]
    assert not list(tmp_path.glob("spool/*.kept"))


def test_a_file_whose_box_failed_is_never_reused(tmp_path: Path) -> None:
    payload_files = PayloadFiles(tmp_path)
    lighter, spans = payload_files.externalize("one", build_request("", TestCase(stdin="a" * 70_000, expected="")))
    with payload_files.restore("one", lighter, spans) as there:
        source = next(test.stdin_source for test in there.tests if isinstance(test, TestCase))
        assert isinstance(source, FileSpan)
        source.tainted = True
    payload_files.drop("one")
    assert not [path for path in tmp_path.glob("spool/*") if path.name != "identity"]


def test_texts_do_not_share_pages_of_their_file(tmp_path: Path) -> None:
    payload_files = PayloadFiles(tmp_path)
    case = TestCase(stdin="a" * 70_001, expected="b" * 70_003)
    lighter, spans = payload_files.externalize("one", build_request("", case))
    assert [offset % PAGE_BYTES for offset, _ in spans.values()] == [0, 0]
    with payload_files.restore("one", lighter, spans) as there:
        assert [(one.stdin_bytes, one.expected_bytes) for one in there.tests if isinstance(one, TestCase)] == [
            (case.stdin_bytes, case.expected_bytes)
        ]


def test_few_files_are_reusable_and_none_remain_after_close(tmp_path: Path) -> None:
    payload_files = PayloadFiles(tmp_path)
    names = [f"item-{number}" for number in range(MAX_REUSABLE_FILES + 3)]
    for name in names:
        payload_files.externalize(name, build_echo_request())
    for name in names:
        payload_files.drop(name)
    assert len(list(tmp_path.glob("spool/*.kept"))) == MAX_REUSABLE_FILES
    payload_files.close()
    assert [path.name for path in tmp_path.glob("spool/*")] == ["identity"]


def test_a_reusable_file_that_another_process_removed_is_replaced(tmp_path: Path) -> None:
    payload_files = PayloadFiles(tmp_path)
    payload_files.externalize("one", build_echo_request())
    payload_files.drop("one")
    for path in tmp_path.glob("spool/*.kept"):
        path.unlink()
    _, spans = payload_files.externalize("two", build_echo_request())
    assert read_stdins(payload_files, "two", build_echo_request(), spans) == [b"small", TEXT.encode()]


def test_a_file_renamed_while_it_is_opened_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payload_files = PayloadFiles(tmp_path)
    lighter, spans = payload_files.externalize("one", build_echo_request())
    opened = os.open

    def open_and_reassign(path: Path, flags: int) -> int:
        descriptor = opened(path, flags)
        monkeypatch.setattr(os, "open", opened)
        payload_files.drop("one")
        payload_files.externalize("two", build_echo_request())
        return descriptor

    monkeypatch.setattr(os, "open", open_and_reassign)
    with pytest.raises(PayloadMissing):
        read_stdins(payload_files, "one", lighter, spans)


def test_a_small_request_does_not_change(tmp_path: Path) -> None:
    item = Item(submission="one", submitted_at=0.0, execute=ExecuteRequest(language="python", code="", stdin="x"))
    assert PayloadFiles(tmp_path).externalize_item(item).execute == item.execute
    assert not list(tmp_path.glob("spool/*.item"))


def test_processes_with_the_same_home_have_the_same_identity(tmp_path: Path) -> None:
    assert (
        PayloadFiles(tmp_path).identity == PayloadFiles(tmp_path).identity != PayloadFiles(tmp_path / "other").identity
    )


def test_large_texts_arrive_and_leave_no_files(
    service: Service, worker_processes: WorkerProcesses, settings: QueueSettings
) -> None:
    worker_processes.start()
    wait_until(lambda: service.check_readiness().ready, "the worker is known")
    results = service.submit(Submission("verify", [build_echo_request()] * 3, batch=True)).results
    assert [VerifyResult.model_validate_json(one.result(60)).verdict for one in results] == ["accepted"] * 3
    wait_until(lambda: not list_files(settings), "the files are removed")


def test_an_item_whose_file_the_worker_lacks_is_sent_again(
    service: Service, worker_processes: WorkerProcesses, settings: QueueSettings
) -> None:
    worker_processes.start()
    first = submit(service, [build_sleeping_program(1.5)])
    second = service.submit(Submission("verify", [build_echo_request()]))
    wait_until(lambda: len(list_files(settings)) == 1, "the texts are in the spool")
    list_files(settings)[0].unlink()
    assert VerifyResult.model_validate_json(second.results[0].result(60)).verdict == "accepted"
    assert await_results(first)[0].stdout == "awake\n"


def test_no_file_is_written_unless_the_workers_share_the_folder(
    service: Service, settings: QueueSettings, redis: Redis
) -> None:
    service.submit(Submission("verify", [build_echo_request()]))
    wait_until(lambda: redis.keys(redis_keys.job_batch("*")), "it is on its way")
    assert not is_externalized(redis)
    assert not list_files(settings)
