"""The load generator, tested against a server that answers in every way HTTP/1.1 allows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest

from loadtest.load_generator import (
    CheckResult,
    LoadRound,
    MeasurementFailed,
    Response,
    build_post_request,
    iterate_chunks,
)
from loadtest.peers import CodeJudge, SandboxFusion
from loadtest.sample import WrongVerdict
from loadtest.sides import Address, HttpSide, SandboxDialect
from loadtest.workloads import (
    TOO_SLOW,
    Task,
    Workload,
    find_workload,
    make_loop_task,
    make_mixed,
    make_rl_step,
    make_tiny_py,
)


def build_result(task: Task) -> dict[str, object]:
    return {"tests": [{"verdict": verdict, "usage": {"cpu_time_s": 0.001}} for verdict in task.verdicts]}


class FakeServer(asyncio.Protocol):
    """Answers each request with `answers`, written in pieces."""

    answers: list[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._got = b""

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) if found else 1
        if len(body) >= length:
            self._got = b""
            for number, piece in enumerate(self.answers):
                asyncio.get_running_loop().call_later(0.01 * number, self._transport.write, piece)


@contextmanager
def serve_pieces(*pieces: bytes) -> Iterator[str]:
    """Yield the URL of a server, in a thread, that answers with these pieces."""
    server_class = type("ScriptedServer", (FakeServer,), {"answers": list(pieces)})
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(server_class, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def fetch_response(url: str) -> Response:
    seen: list[Response] = []

    def check(answer: Response) -> CheckResult:
        seen.append(answer)
        return CheckResult(1)

    sample = LoadRound(url, iter([build_post_request("h", "/x", [b"{}"], check)]), 1, 1.0).run(send_all=True)
    assert sample.verdicts == len(sample.latencies_s) == 1
    return seen[0]


def test_a_body_with_a_length_comes_whole_in_whatever_pieces() -> None:
    with serve_pieces(b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 10\r\n\r\n01234", b"56789") as url:
        answer = fetch_response(url)
    assert (answer.status, answer.body) == (200, b"0123456789")


def test_a_chunked_body_comes_whole_and_its_lines_with_their_times() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    with serve_pieces(head, b"4\r\nab\n", b"c\r\n", b"2\r\nd\n\r\n", b"0\r\n", b"\r\n") as url:
        answer = fetch_response(url)
    assert answer.body == b"ab\ncd\n"
    times = [arrived for arrived, _ in answer.iterate_timed_lines()]
    assert times == sorted(times)
    assert times[-1] > times[0]


def test_chunks_end_where_they_say() -> None:
    assert list(iterate_chunks(b"3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n")) == [(b"abc", 8), (b"d", 18)]


def build_json_response(body: object) -> bytes:
    content = orjson.dumps(body)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(content), content)


def test_a_refusal_is_told_and_not_counted() -> None:
    with serve_pieces(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 4\r\n\r\nfull") as url:
        side = HttpSide("ours", url, SandboxDialect, 1)
        with pytest.raises(MeasurementFailed, match="503: full"):
            side.run(find_workload("W1 single"), 0.2)


def test_a_server_that_is_not_there_is_told() -> None:
    with pytest.raises(MeasurementFailed):
        HttpSide("ours", "http://127.0.0.1:9", SandboxDialect, 1).run(find_workload("W1 single"), 0.2)


def test_a_wrong_verdict_aborts() -> None:
    wrong = {"tests": [{"verdict": "wrong_answer", "usage": {"cpu_time_s": 0.0}}]}
    with serve_pieces(build_json_response(wrong)) as url, pytest.raises(WrongVerdict):
        HttpSide("ours", url, SandboxDialect, 1).run(find_workload("W1 single"), 0.2)


def test_a_batch_is_judged_item_by_item() -> None:
    tasks = [make_tiny_py(index) for index in range(3)]
    request = next(SandboxDialect(Address("h")).build_requests(iter(tasks), Workload("x", make_tiny_py, batch=3)))
    sent = orjson.loads(request.pieces[0].split(b"\r\n\r\n", 1)[1])
    assert [item["code"] for item in sent["items"]] == [task.code for task in tasks]
    body = orjson.dumps({"results": [build_result(task) for task in tasks]})
    assert request.check(Response(200, [body], [0.0], False)).verdicts == 3


def test_the_tail_is_what_the_last_verdict_came_late_beyond_its_program() -> None:
    """There are two slots: once two programs are left, both could be running."""
    tasks = [make_rl_step(index) for index in range(3)]
    request = next(
        SandboxDialect(Address("h"), slots=2).build_requests(
            iter(tasks), Workload("x", make_rl_step, batch=3, stream=True)
        )
    )
    lines = [orjson.dumps({"index": index, "result": build_result(tasks[index])}) + b"\n" for index in (1, 0, 2)]
    pieces = [b"%x\r\n%s\r\n" % (len(line), line) for line in lines] + [b"0\r\n\r\n"]
    judged = request.check(Response(200, pieces, [10.0, 10.3, 10.5, 10.5], True))
    assert judged.verdicts == 30
    assert judged.tail_s == pytest.approx(0.49)


def test_sandbox_fusion_is_asked_once_a_test() -> None:
    task = make_loop_task(7, 10, 3)
    requests = list(SandboxFusion(Address("h")).build_requests(iter([task]), find_workload("W2 py-20")))
    assert len(requests) == 3
    run = {"status": "Finished", "return_code": 0, "stdout": task.cases[1].expected}
    body = {"status": "Success", "message": "", "run_result": run}
    assert requests[1].check(Response(200, [orjson.dumps(body)], [0.0], False)).verdicts == 1
    with pytest.raises(WrongVerdict):
        requests[2].check(Response(200, [orjson.dumps(body)], [0.0], False))


@pytest.mark.parametrize(("workload", "at_one_time"), [("W1 single", 16), ("W1 idle", 1), ("W5 rl-step", 16)])
def test_a_batch_is_many_requests_at_one_time_where_there_are_no_batches(workload: str, at_one_time: int) -> None:
    assert HttpSide("x", "http://h", SandboxFusion, 2).choose_concurrency(find_workload(workload)) == at_one_time
    for dialect in (SandboxDialect, CodeJudge):
        assert (
            HttpSide("x", "http://h", dialect, 2).choose_concurrency(find_workload(workload))
            == find_workload(workload).concurrency
        )


def test_code_judge_is_asked_for_all_tests_at_once() -> None:
    task = make_loop_task(7, 10, 3)
    (request,) = CodeJudge(Address("h")).build_requests(iter([task]), find_workload("W2 py-20"))
    results = [{"success": True, "reason": ""}] * 3
    assert request.check(Response(200, [orjson.dumps({"results": results})], [0.0], False)).verdicts == 3
    failed = {"results": [{"success": False, "reason": "queue_timeout"}, *results[1:]]}
    with pytest.raises(MeasurementFailed, match="queue_timeout"):
        request.check(Response(200, [orjson.dumps(failed)], [0.0], False))


def test_code_judge_may_be_late_with_a_program_of_several_tests_that_stops_at_the_first() -> None:
    endless = next(task for task in map(make_mixed, range(20)) if task.verdicts[0] == TOO_SLOW)
    tiny, late = (
        next(CodeJudge(Address("h")).build_requests(iter([task]), find_workload("W4 mixed")))
        for task in (make_tiny_py(1), endless)
    )
    assert tiny.pieces[0].startswith(b"POST /judge HTTP/1.1\r\n")
    assert late.pieces[0].startswith(b"POST /judge/long-batch HTTP/1.1\r\n")
    body = {"results": [{"success": False, "reason": "worker_timeout"}]}
    assert late.check(Response(200, [orjson.dumps(body)], [0.0], False)).verdicts == 1
