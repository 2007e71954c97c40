"""From a REST client through a real API, a real queue, real workers and real boxes, and back."""

from __future__ import annotations

import pytest

from sandbox.client import Client
from sandbox.errors import BadRequest, NotFound
from sandbox.schema import ExecuteRequest, JobStatus, TestCase, VerifyRequest

SUM = "a, b = map(int, input().split())\nprint(a + b)"
SUMS = [TestCase(stdin=f"{a} {b}\n", expected=f"{a + b}\n") for a, b in ((1, 2), (20, 22), (-5, 5))]


def test_a_program_is_run(client: Client) -> None:
    result = client.execute(
        ExecuteRequest(
            language="python",
            code="import sys; print(sys.argv[1], input()); open('made', 'wb').write(open('given', 'rb').read() * 2)",
            stdin="from stdin\n",
            args=["argument"],
            files={"given": b"\0\xff"},
            fetch_files=["made"],
        )
    )
    assert (result.status, result.exit_code, result.stdout) == ("ok", 0, "argument from stdin\n")
    assert result.files == {"made": b"\0\xff\0\xff"}
    assert result.usage.memory_mb > 0


def test_output_that_is_no_text_has_a_lossless_twin(client: Client) -> None:
    data = bytes(range(256))
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"
    result = client.execute(ExecuteRequest(language="python", code=code, stdin_base64=data))
    assert result.stdout_base64 == data
    assert result.stdout == data.decode(errors="replace")
    plain = client.execute(ExecuteRequest(language="python", code=code, stdin="text ✓"))
    assert (plain.stdout, plain.stdout_base64) == ("text ✓", None)


@pytest.mark.parametrize(
    ("code", "verdict", "passed"),
    [
        (SUM, "accepted", 3),
        ("print(42)", "wrong_answer", 1),
        ("while True: pass", "time_limit_exceeded", 0),
        ("block = b'x' * (1 << 30)", "memory_limit_exceeded", 0),
        ("while True: print('x' * 999)", "output_limit_exceeded", 0),
        ("1 / 0", "runtime_error", 0),
        ("print(", "runtime_error", 0),
    ],
)
def test_a_program_is_judged(client: Client, code: str, verdict: str, passed: int) -> None:
    request = VerifyRequest(
        language="python", code=code, tests=SUMS, limits={"cpu_time_s": 0.5, "memory_mb": 128, "output_kb": 64}
    )
    result = client.verify(request)
    assert (result.verdict, result.passed, result.total) == (verdict, passed, 3)
    assert result.score == pytest.approx(passed / 3)
    assert sum(test.verdict == "accepted" for test in result.tests) == passed


def test_a_program_that_does_not_compile_gets_the_compilers_message(client: Client) -> None:
    result = client.verify(VerifyRequest(language="cpp", code="int main() { return x; }", tests=SUMS))
    assert (result.verdict, result.passed) == ("compile_error", 0)
    assert result.compile is not None
    assert "was not declared" in result.compile.stderr


def test_a_batch_keeps_its_order_and_a_stream_has_every_index_once(client: Client) -> None:
    programs = [ExecuteRequest(language="python", code=f"print({number})") for number in range(40)]
    assert [int(result.stdout) for result in client.execute_batch(programs)] == list(range(40))
    streamed = dict(client.execute_stream(programs))
    assert {index: int(result.stdout) for index, result in streamed.items()} == {n: n for n in range(40)}


def test_a_submission_can_be_fetched_later_repeated_and_cancelled(client: Client) -> None:
    requests = [VerifyRequest(language="python", code=SUM, tests=SUMS) for _ in range(2)]
    job = client.submit("verify", requests, idempotency_key="e2e")
    assert client.submit("verify", requests, idempotency_key="e2e").id == job.id
    done = client.wait(job.id, timeout_s=60)
    assert done.status is JobStatus.FINISHED
    assert done.result is not None
    assert [result["verdict"] for result in done.result["results"]] == ["accepted"] * 2
    assert client.cancel(job.id) == done
    with pytest.raises(NotFound):
        client.job("never")


def test_a_bad_request_names_the_field(client: Client) -> None:
    with pytest.raises(BadRequest) as refused:
        client.execute(ExecuteRequest(language="cobol", code=""))
    assert refused.value.field.endswith("language")


def test_the_service_reports_that_it_is_ready_and_its_languages(client: Client) -> None:
    readiness = client.ready()
    assert (readiness.ready, readiness.workers, readiness.engine) == (True, 2, "docker")
    assert {"python", "cpp", "c", "javascript", "bash"} <= {language.name for language in client.languages()}
