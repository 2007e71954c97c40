"""How a program reaches the client and calls it: imports, settings, keyword arguments, timeouts, copies."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest

import sandbox
from sandbox.client import DEFAULT_URL, AsyncClient, Client, Retries
from sandbox.errors import AnswerTimeout, BadRequest, InfrastructureError
from sandbox.runner.contract import Verdict
from sandbox.schema import ExecuteRequest, TestResult, VerifyRequest
from sandbox.schema.reward import RewardDetail
from sandbox.trainers.lazy_clients import LazyAsyncClient, LazyClient
from tests.api.fake_service import FakeService
from tests.client import generate_fields
from tests.client.docstring_examples import read_docstring_examples

TESTS = [{"stdin": "", "expected": ""}]


def test_the_types_of_keyword_arguments_are_generated_from_the_schema() -> None:
    text = generate_fields.TARGET.read_text(encoding="utf-8")
    assert text == generate_fields.generate(), f"out of date: run {generate_fields.COMMAND}"


def test_the_package_loads_its_client_on_first_use() -> None:
    code = (
        "import sys, sandbox; print('sandbox.client' in sys.modules, 'typing' in sys.modules);"
        "from sandbox import AsyncClient, Client; print(Client.__module__, AsyncClient.__module__)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "False False\nsandbox.client.sync sandbox.client.aio\n"
    with pytest.raises(AttributeError, match="module 'sandbox' has no attribute 'Cliont'"):
        getattr(sandbox, "Cliont")  # noqa: B009 -- a type checker rejects the attribute


def test_fields_may_be_keyword_arguments(url: str, service: FakeService) -> None:
    with Client(url) as client:
        assert client.execute(language="python", code="print(1)", stdin="2").stdout == "print(1)"
        result = client.verify(language="python", code="accepted", tests=TESTS, priority="rl", idempotency_key="a")
        assert result.accepted
        assert client.vote(candidates=[{"language": "python", "code": "1"}] * 2, inputs=["a"]).labels
    program, submission = (submitted.requests[0] for submitted in service.submissions[:2])
    assert isinstance(program, ExecuteRequest)
    assert program.stdin == "2"
    assert isinstance(submission, VerifyRequest)
    assert submission.priority == "rl"


async def test_fields_may_be_keyword_arguments_of_the_async_client(url: str) -> None:
    async with AsyncClient(url) as client:
        assert (await client.execute(language="python", code="print(1)")).stdout == "print(1)"
        reward = await client.reward(completions=["```python\naccepted\n```"], tests=[TESTS])
        assert reward.details[0].accepted


def test_a_request_and_keyword_arguments_exclude_each_other() -> None:
    client = Client()
    with pytest.raises(TypeError, match=r"not both \(got code\)"):
        client.execute({"language": "python", "code": ""}, code="1")
    with pytest.raises(TypeError, match="give the request, or its fields"):
        client.verify()
    with pytest.raises(BadRequest) as caught:
        client.execute(language="python", cod="1")  # type: ignore[call-arg]
    assert str(caught.value) == "code: Field required\ncod: Extra inputs are not permitted; did you mean 'code'?"
    assert caught.value.field == "body.code"


def test_results_say_whether_they_are_accepted() -> None:
    assert RewardDetail(answered=True, verdict=Verdict.ACCEPTED).accepted
    assert not RewardDetail(answered=False).accepted
    assert not TestResult(verdict=Verdict.WRONG_ANSWER).accepted


def test_the_environment_names_the_service_and_the_key(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client().url == LazyClient().url == DEFAULT_URL
    monkeypatch.setenv("SANDBOX_URL", url)
    monkeypatch.setenv("SANDBOX_API_KEY", "sbx_key")
    with Client() as client:
        assert client.url == AsyncClient().url == LazyClient().url == LazyAsyncClient().url == url
        assert client.execute(language="python", code="1").stdout == "1"
        assert client._connection.http.headers["Authorization"] == "Bearer sbx_key"
    assert Client("http://other:1").url == LazyClient("http://other:1").url == "http://other:1"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_shows_its_url_without_its_secrets(kind: type[Client | AsyncClient]) -> None:
    shown = repr(kind("http://me:password@sandbox.internal:8080", api_key="sbx_secret"))
    assert shown == f"{kind.__name__}('http://me:[secure]@sandbox.internal:8080')"


def test_a_pickled_client_works(url: str) -> None:
    with Client(url, api_key="key", timeout_s=7.0, retries=Retries(attempts=2)) as client:
        copied = pickle.loads(pickle.dumps(client))
        assert copied._options == client._options
        assert copied._connection is not client._connection
    with copied:
        assert copied.execute(language="python", code="1").stdout == "1"


async def test_a_pickled_async_client_works(url: str) -> None:
    async with pickle.loads(pickle.dumps(AsyncClient(url))) as copied:
        assert (await copied.execute(language="python", code="1")).stdout == "1"


def test_every_public_method_has_an_example() -> None:
    for kind in (Client, AsyncClient):
        assert [name for name, example in read_docstring_examples(kind).items() if not example] == []


@pytest.fixture
def silent_url() -> Iterator[str]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_call_ends_after_its_timeout(silent_url: str) -> None:
    began = time.monotonic()
    with (
        Client(silent_url) as client,
        pytest.raises(AnswerTimeout, match=r"/execute: no answer within 0\.2 s") as caught,
    ):
        client.execute(language="python", code="1", timeout_s=0.2)
    assert time.monotonic() - began < 5
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, InfrastructureError)


async def test_an_async_call_ends_after_its_timeout(silent_url: str) -> None:
    async with AsyncClient(silent_url) as client:
        with pytest.raises(AnswerTimeout, match=r"/verify/batch: no answer within 0\.2 s"):
            await client.verify_batch([{"language": "python", "code": "1", "tests": TESTS}], timeout_s=0.2)


def test_a_call_does_not_wait_for_a_retry_after_its_timeout() -> None:
    busy = httpx.MockTransport(lambda _: httpx.Response(503, headers={"Retry-After": "60"}))
    with (
        Client(transport=busy) as client,
        pytest.raises(AnswerTimeout, match=r"/execute: no answer within 5 s: Service Unavailable"),
    ):
        client.execute(language="python", code="1", timeout_s=5.0)
