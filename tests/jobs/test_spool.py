"""Large texts travel beside Redis where all workers are on the host, and arrive as they were sent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from redis import Redis

from sandbox.config import QueueSettings
from sandbox.jobs import keys
from sandbox.jobs.envelope import Envelope, Item
from sandbox.jobs.spool import KEPT_FILES, LARGE_CHARS, PAGE_BYTES, NotHere, Spool
from sandbox.runner.contract import FileSpan
from sandbox.schema import ExecuteRequest, TestCase, VerifyRequest, VerifyResult
from sandbox.schema.checkers import ExactChecker
from sandbox.service import Service
from tests.crew import Crew
from tests.jobs.waiting import awaited, sleeping, until

TEXT = "Größe, 数, \\n and \n\0 " * (LARGE_CHARS // 8)


def asked(code: str, *tests: TestCase) -> VerifyRequest:
    return VerifyRequest(language="python", code=code, tests=list(tests), checker=ExactChecker(type="exact"))


def echo() -> VerifyRequest:
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    return asked(code, TestCase(stdin="small", expected="small"), TestCase(stdin=TEXT, expected=TEXT))


def stdins(spool: Spool, item_id: str, request: VerifyRequest, spans: dict[str, tuple[int, int]]) -> list[bytes]:
    with spool.put_back(item_id, request, spans) as whole:
        return [test.stdin_bytes for test in whole.tests if isinstance(test, TestCase)]


def files(settings: QueueSettings) -> list[Path]:
    return list((settings.home / "spool").glob("*.item"))


def spooled(redis: Redis) -> bool:
    (content,) = [redis.get(key) for key in redis.keys(keys.envelope("*"))]
    return bool(Envelope.model_validate_json(content).items[0].spooled)


def test_what_is_taken_out_is_put_back_as_bytes(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    item = Item(submission="one", submitted_at=0.0, verify=echo())
    sent = Item.model_validate_json(spool.without_texts(item).model_dump_json(exclude_unset=True))
    assert sent.verify is not None
    assert len(sent.model_dump_json()) < LARGE_CHARS
    with Spool(tmp_path).lent(sent) as whole:
        there = whole.verify
        assert there is not None
        for test in there.tests:
            assert isinstance(test, TestCase)
        assert [(test.stdin_bytes, test.expected_bytes) for test in there.tests if isinstance(test, TestCase)] == [
            (b"small", b"small"),
            (TEXT.encode(), TEXT.encode()),
        ]
    spool.drop("one")
    with pytest.raises(NotHere), spool.lent(sent):
        pass


def test_a_file_is_written_over_for_the_next_item(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    first, second = (
        asked("", TestCase(stdin=letter * size, expected="")) for letter, size in (("a", 90_000), ("b", 70_000))
    )
    taken = {name: spool.take_out(name, first)[1] for name in ("one", "two")}
    spool.drop("one")
    inode = next(tmp_path.glob("spool/*.kept")).stat().st_ino
    lighter, spans = spool.take_out("three", second)
    assert (tmp_path / "spool" / "three.item").stat().st_ino == inode
    assert stdins(spool, "three", lighter, spans) == [b"b" * 70_000]
    assert stdins(spool, "two", first, taken["two"]) == [b"a" * 90_000]
    with pytest.raises(NotHere):
        stdins(spool, "one", first, taken["one"])


def test_a_file_that_is_lent_is_not_written_over(tmp_path: Path) -> None:
    """A program of the old item may read its input still; the new item's is none of its business."""
    spool = Spool(tmp_path)
    first, second = (asked("", TestCase(stdin=letter * 70_000, expected="")) for letter in "ab")
    lighter, spans = spool.take_out("one", first)
    with spool.put_back("one", lighter, spans) as there:
        spool.drop("one")
        spool.take_out("two", second)
        assert [test.stdin_bytes for test in there.tests if isinstance(test, TestCase)] == [b"a" * 70_000]
    assert not list(tmp_path.glob("spool/*.kept"))


def test_a_file_whose_box_ended_badly_is_never_written_over(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    lighter, spans = spool.take_out("one", asked("", TestCase(stdin="a" * 70_000, expected="")))
    with spool.put_back("one", lighter, spans) as there:
        source = next(test.stdin_source for test in there.tests if isinstance(test, TestCase))
        assert isinstance(source, FileSpan)
        source.in_doubt = True
    spool.drop("one")
    assert not [path for path in tmp_path.glob("spool/*") if path.name != "identity"]


def test_texts_share_no_page_of_their_file(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    case = TestCase(stdin="a" * 70_001, expected="b" * 70_003)
    lighter, spans = spool.take_out("one", asked("", case))
    assert [offset % PAGE_BYTES for offset, _ in spans.values()] == [0, 0]
    with spool.put_back("one", lighter, spans) as there:
        assert [(one.stdin_bytes, one.expected_bytes) for one in there.tests if isinstance(one, TestCase)] == [
            (case.stdin_bytes, case.expected_bytes)
        ]


def test_few_files_are_kept_and_none_when_the_process_ends(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    names = [f"item-{number}" for number in range(KEPT_FILES + 3)]
    for name in names:
        spool.take_out(name, echo())
    for name in names:
        spool.drop(name)
    assert len(list(tmp_path.glob("spool/*.kept"))) == KEPT_FILES
    spool.close()
    assert [path.name for path in tmp_path.glob("spool/*")] == ["identity"]


def test_a_kept_file_that_another_process_swept_away_is_not_missed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.take_out("one", echo())
    spool.drop("one")
    for path in tmp_path.glob("spool/*.kept"):
        path.unlink()
    _, spans = spool.take_out("two", echo())
    assert stdins(spool, "two", echo(), spans) == [b"small", TEXT.encode()]


def test_a_file_that_gets_a_new_owner_while_it_is_opened_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    lighter, spans = spool.take_out("one", echo())
    opened = os.open

    def given_away(path: Path, flags: int) -> int:
        descriptor = opened(path, flags)
        monkeypatch.setattr(os, "open", opened)
        spool.drop("one")
        spool.take_out("two", echo())
        return descriptor

    monkeypatch.setattr(os, "open", given_away)
    with pytest.raises(NotHere):
        stdins(spool, "one", lighter, spans)


def test_a_small_request_stays_as_it_is(tmp_path: Path) -> None:
    item = Item(submission="one", submitted_at=0.0, execute=ExecuteRequest(language="python", code="", stdin="x"))
    assert Spool(tmp_path).without_texts(item).execute == item.execute
    assert not list(tmp_path.glob("spool/*.item"))


def test_two_processes_of_a_home_have_one_identity_and_other_homes_another(tmp_path: Path) -> None:
    assert Spool(tmp_path).identity == Spool(tmp_path).identity != Spool(tmp_path / "other").identity


def test_large_texts_arrive_and_leave_nothing(service: Service, crew: Crew, settings: QueueSettings) -> None:
    crew.hire()
    until(lambda: service.readiness().ready, "the worker is known")
    results = service.submit("verify", [echo()] * 3, batch=True).results
    assert [VerifyResult.model_validate_json(one.result(60)).verdict for one in results] == ["accepted"] * 3
    until(lambda: not files(settings), "the files are removed")


def test_a_file_that_is_not_where_the_worker_is_costs_a_second_way(
    service: Service, crew: Crew, settings: QueueSettings
) -> None:
    crew.hire()
    first = service.submit("execute", [sleeping(1.5)])
    second = service.submit("verify", [echo()])
    until(lambda: len(files(settings)) == 1, "the texts are in the spool")
    files(settings)[0].unlink()
    assert VerifyResult.model_validate_json(second.results[0].result(60)).verdict == "accepted"
    assert awaited(first)[0].stdout == "awake\n"


def test_without_a_worker_that_shares_the_spool_nothing_is_put_there(
    service: Service, settings: QueueSettings, redis: Redis
) -> None:
    service.submit("verify", [echo()])
    until(lambda: redis.keys(keys.envelope("*")), "it is on its way")
    assert not spooled(redis)
    assert not files(settings)
