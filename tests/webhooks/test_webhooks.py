"""Test webhooks: the library accepts their signatures, they survive dying processes, and a success is not repeated.

The service, its workers, the sender process, and the receiver are real.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from redis import Redis
from standardwebhooks import Webhook

from sandbox.api.app import create_app
from sandbox.box.docker.leftovers import remove_boxes
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.errors import BadRequest, NotFound
from sandbox.queue import redis_keys
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.queue.submit_and_wait import wait_until
from tests.redis_server import RedisServer
from tests.running_service import run_service_with_workers
from tests.webhooks.receiver import ReceivedRequest, Receiver, run_receiver

ROOT = Path(__file__).resolve().parents[2]
DATABASE = 5
FIRST_SLOT = 130
SECRET = "whsec_" + "c2FuZGJveCB0ZXN0cyBrZWVwIG5vIHNlY3JldHM="
OLD_SECRET = "whsec_" + "dGhlIHNlY3JldCB0aGF0IGlzIGJlaW5nIHJlcGxhY2Vk"
QUICK = {
    "SANDBOX_WEBHOOK_SECRET": f"{SECRET} {OLD_SECRET}",
    "SANDBOX_WEBHOOK_NETWORKS": "127.0.0.1",
    "SANDBOX_WEBHOOK_TIMEOUT_S": "1",
    "SANDBOX_WEBHOOK_FIRST_DELAY_S": "0.1",
    "SANDBOX_WEBHOOK_MAX_DELAY_S": "1",
    "SANDBOX_WEBHOOK_TRIES": "4",
}
GOOD = {"language": "python", "code": "print(int(input()) * 2)", "tests": [{"stdin": "2\n", "expected": "4\n"}]}
BAD = {**GOOD, "code": "print(5)"}


@pytest.fixture(scope="module")
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.open_empty_database(DATABASE) as client:
        yield client


@pytest.fixture(scope="module")
def settings(redis: Redis, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> ApiSettings:
    assert redis.dbsize() == 0
    return ApiSettings(
        home=tmp_path_factory.mktemp("webhooks"),
        redis_url=redis_server.build_url(DATABASE),
        webhook_secret=SECRET,
        webhook_networks="127.0.0.1",
    )


@pytest.fixture(scope="module")
def service(settings: ApiSettings, images: dict[str, str]) -> Iterator[Service]:
    """Yield a service with one worker."""
    assert images
    with run_service_with_workers(settings, first_slot=FIRST_SLOT) as service:
        yield service
    remove_boxes(settings.home)


@pytest.fixture(scope="module")
def url(settings: ApiSettings, service: Service) -> Iterator[str]:
    with serve_in_thread(create_app(settings, service)) as address:
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url) as opened:
        yield opened


@pytest.fixture
def receiver(redis: Redis) -> Iterator[Receiver]:
    redis.delete(redis_keys.WEBHOOKS_DUE, redis_keys.WEBHOOKS_DEAD)
    with run_receiver() as opened:
        yield opened


class SenderProcess:
    """The process that sends webhooks."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self.start()

    def start(self) -> None:
        settings = self._settings
        queue = {"SANDBOX_HOME": str(settings.home), "SANDBOX_REDIS_URL": settings.redis_url}
        with (settings.home / "deliver.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sandbox", "deliver"], env={**os.environ, **QUICK, **queue}, cwd=ROOT, stderr=log
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def sender_process(settings: ApiSettings) -> Iterator[SenderProcess]:
    sender_process = SenderProcess(settings)
    yield sender_process
    assert sender_process.stop() == 0


def verify_signature(received: ReceivedRequest, secret: str = SECRET) -> dict[str, object]:
    """Verify the signature with the library, and return the body."""
    body = Webhook(secret).verify(received.body, received.headers)
    assert isinstance(body, dict)
    return body


def wait_until_delivered(redis: Redis) -> None:
    wait_until(lambda: redis.zcard(redis_keys.WEBHOOKS_DUE) == 0, "nothing is due")


# --- what is sent


def test_a_verdict_is_sent_signed_and_once(
    client: Client, receiver: Receiver, redis: Redis, sender_process: SenderProcess
) -> None:
    job = client.submit("verify", GOOD, callback_url=f"{receiver.url}/rewards?step=7")
    (received,) = receiver.wait(1)
    assert (received.method, received.path, received.id) == ("POST", "/rewards?step=7", job.id)
    body = verify_signature(received)
    assert (body["type"], body["data"]["job"]) == ("verify.finished", job.id)  # type: ignore[index]
    assert body["data"]["result"] == client.wait(job.id).result  # type: ignore[index]
    wait_until_delivered(redis)
    time.sleep(0.5)
    assert len(receiver.requests) == 1


def test_a_batch_is_sent_as_a_whole_or_item_by_item(
    client: Client, receiver: Receiver, sender_process: SenderProcess
) -> None:
    whole = client.submit("verify", [GOOD, BAD], callback_url=receiver.url)
    (received,) = receiver.wait(1)
    results = verify_signature(received)["data"]["result"]["results"]  # type: ignore[index]
    assert [result["verdict"] for result in results] == ["accepted", "wrong_answer"]
    assert received.id == whole.id
    each = client.submit("verify", [GOOD, BAD, GOOD], callback_url=receiver.url, callback_for="item")
    bodies = [verify_signature(received) for received in receiver.wait(4)[1:]]
    verdicts = {body["data"]["index"]: body["data"]["result"]["verdict"] for body in bodies}  # type: ignore[index]
    assert verdicts == {0: "accepted", 1: "wrong_answer", 2: "accepted"}
    assert {body["type"] for body in bodies} == {"verify.item"}
    assert {received.id for received in receiver.requests[1:]} == {f"{each.id}.{index}" for index in range(3)}


def test_programs_votes_and_rewards_have_callbacks_too(
    client: Client, receiver: Receiver, sender_process: SenderProcess
) -> None:
    client.submit("execute", {"language": "python", "code": "print(7)"}, callback_url=receiver.url)
    body = verify_signature(receiver.wait(1)[0])
    assert (body["type"], body["data"]["result"]["stdout"]) == ("execute.finished", "7\n")  # type: ignore[index]
    vote = {"candidates": [{"language": "python", "code": "print(1)"}] * 2, "inputs": ["1"]}
    client.submit("vote", vote, callback_url=receiver.url)
    body = verify_signature(receiver.wait(2)[1])
    assert body["data"]["result"]["labels"][0]["expected"] == "1\n"  # type: ignore[index]


def test_rewards_are_sent_in_the_order_of_the_completions(
    client: Client, receiver: Receiver, sender_process: SenderProcess
) -> None:
    completions = ["no code", f"```python\n{BAD['code']}\n```", f"```python\n{GOOD['code']}\n```"]
    request = {"completions": completions, "tests": [GOOD["tests"]], "policy": "x-coder"}
    job = client.submit("reward", request, callback_url=receiver.url)
    (received,) = receiver.wait(1)
    body = verify_signature(received)
    assert body["type"] == "reward.finished"
    assert body["data"]["result"]["rewards"] == [-2.0, 0.0, 5.0]  # type: ignore[index]
    assert body["data"]["result"] == client.wait(job.id).result  # type: ignore[index]
    # If no completion has a program, the job ends at once.
    empty = client.submit("reward", {**request, "completions": ["none"]}, callback_url=receiver.url)
    body = verify_signature(receiver.wait(2)[1])
    assert (body["data"]["job"], body["data"]["result"]["rewards"]) == (empty.id, [-2.0])  # type: ignore[index]


def test_a_repeated_submission_sends_one_webhook(
    client: Client, receiver: Receiver, redis: Redis, sender_process: SenderProcess
) -> None:
    first = client.submit("verify", GOOD, idempotency_key="once", callback_url=receiver.url)
    receiver.wait(1)
    assert client.submit("verify", GOOD, idempotency_key="once", callback_url=receiver.url).id == first.id
    wait_until_delivered(redis)
    assert len(receiver.requests) == 1


# --- receivers that refuse


def test_a_failed_delivery_is_retried_with_growing_pauses_and_the_same_id(
    client: Client, receiver: Receiver, redis: Redis, sender_process: SenderProcess
) -> None:
    receiver.choose_reply = lambda received: (500 if len(receiver.requests) < 4 else 200, {})
    client.submit("verify", GOOD, callback_url=receiver.url)
    requests = receiver.wait(4)
    assert len({received.id for received in requests}) == 1
    assert all(verify_signature(received) for received in requests)
    pauses = [later.received_at - earlier.received_at for earlier, later in pairwise(requests)]
    assert all(pause >= least for pause, least in zip(pauses, (0.05, 0.1, 0.2), strict=True))
    wait_until_delivered(redis)
    assert redis.zcard(redis_keys.WEBHOOKS_DEAD) == 0


def test_after_the_last_try_a_webhook_is_dead_and_can_be_requeued(
    client: Client, url: str, receiver: Receiver, redis: Redis, sender_process: SenderProcess
) -> None:
    receiver.choose_reply = lambda received: (500, {})
    job = client.submit("verify", GOOD, callback_url=f"{receiver.url}/r?token=hidden")
    receiver.wait(4)
    dead_ones = f"{url}/webhooks/dead"
    wait_until(lambda: bool(httpx.get(dead_ones).json()), "it is dead")
    (dead,) = httpx.get(dead_ones).json()
    assert (dead["id"], dead["tries"], dead["error"]) == (job.id, 4, "status 500")
    assert dead["url"] == f"{receiver.url}/r"
    assert 0 < redis.ttl(redis_keys.webhook(job.id)) <= 604_800
    time.sleep(1.2)
    assert len(receiver.requests) == 4
    receiver.choose_reply = lambda received: (200, {})
    assert httpx.post(f"{dead_ones}/{job.id}").status_code == 204
    verify_signature(receiver.wait(5)[4])
    wait_until_delivered(redis)
    assert httpx.get(dead_ones).json() == []
    assert httpx.post(f"{dead_ones}/{job.id}").status_code == 404


def test_redirects_are_not_followed_and_410_is_permanent(
    client: Client, receiver: Receiver, redis: Redis, sender_process: SenderProcess
) -> None:
    receiver.choose_reply = lambda received: (
        (307, {"Location": f"{receiver.url}/elsewhere"}) if received.path == "/moved" else (410, {})
    )
    client.submit("verify", GOOD, callback_url=f"{receiver.url}/moved")
    client.submit("verify", GOOD, callback_url=f"{receiver.url}/gone")
    wait_until(lambda: redis.zcard(redis_keys.WEBHOOKS_DEAD) == 2, "both are given up")
    paths = [received.path for received in receiver.requests]
    assert (paths.count("/moved"), paths.count("/gone"), paths.count("/elsewhere")) == (4, 1, 0)


def test_the_retry_after_header_of_the_receiver_is_respected(
    client: Client, receiver: Receiver, redis: Redis, sender_process: SenderProcess
) -> None:
    receiver.choose_reply = lambda received: (503, {"Retry-After": "1"}) if len(receiver.requests) < 2 else (204, {})
    client.submit("verify", GOOD, callback_url=receiver.url)
    first, second = receiver.wait(2)
    assert second.received_at - first.received_at >= 1.0
    wait_until_delivered(redis)


# --- processes that die


def test_the_next_sender_delivers_the_webhooks_of_a_killed_one(
    client: Client, receiver: Receiver, redis: Redis, sender_process: SenderProcess
) -> None:
    receiver.hold.set()
    job = client.submit("verify", GOOD, callback_url=receiver.url)
    receiver.wait(1)
    sender_process.kill()
    receiver.hold.clear()
    meanwhile = client.submit("verify", [GOOD, BAD], callback_url=receiver.url, callback_for="item")
    client.wait(meanwhile.id)
    assert redis.zcard(redis_keys.WEBHOOKS_DUE) == 3
    sender_process.start()
    requests = receiver.wait(4)
    assert requests[0].id == job.id  # and again, when the lease of the dead sender ends
    assert {received.id for received in requests[1:]} == {job.id, f"{meanwhile.id}.0", f"{meanwhile.id}.1"}
    wait_until_delivered(redis)
    time.sleep(0.3)
    assert len(receiver.requests) == 4


# --- what is refused


@pytest.mark.parametrize(
    "callback_url",
    [
        "http://10.0.0.7/rewards",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:192.168.0.1]/",
        "http://[::1]/",
        "ftp://trainer.example/",
        "http://user:word@trainer.example/",
        "http:///nowhere",
        "http://trainer.example/#part",
        "http://trainer.example:99999/",
    ],
)
def test_a_forbidden_callback_address_is_refused_at_once(client: Client, callback_url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        client.submit("verify", GOOD, callback_url=callback_url)
    assert refused.value.field == "body.callback_url"


def test_a_name_that_resolves_to_a_forbidden_address_is_never_called(
    client: Client, receiver: Receiver, redis: Redis, service: Service, sender_process: SenderProcess
) -> None:
    """Addresses have unusual spellings that only the resolver understands."""
    port = receiver.url.rpartition(":")[2]
    for host in ("2852039166", "0x7f000002"):  # 169.254.169.254 and 127.0.0.2
        client.submit("verify", GOOD, callback_url=f"http://{host}:{port}/")
    wait_until(lambda: len(service.list_dead_webhooks()) == 2, "both are given up at once")
    assert all("not a public address" in dead.error and dead.tries == 1 for dead in service.list_dead_webhooks())
    assert receiver.requests == []


def test_without_a_secret_there_are_no_callbacks(service: Service, settings: ApiSettings) -> None:
    silent = settings.model_copy(update={"webhook_secret": ""})
    with (
        serve_in_thread(create_app(silent, service)) as url,
        Client(url) as client,
        pytest.raises(BadRequest, match="SECRET"),
    ):
        client.submit("verify", GOOD, callback_url="https://trainer.example/")


def test_an_item_of_a_batch_has_no_callback_of_its_own(url: str) -> None:
    body = {"items": [{**GOOD, "callback_url": "https://trainer.example/"}]}
    answer = httpx.post(f"{url}/verify/batch", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.items.0.callback_url")


def test_requeueing_a_webhook_that_is_not_dead_is_an_error(service: Service) -> None:
    with pytest.raises(NotFound):
        service.requeue_webhook("never")


# --- the operator


def test_during_secret_rotation_requests_are_signed_with_both_secrets(
    client: Client, receiver: Receiver, sender_process: SenderProcess
) -> None:
    client.submit("verify", GOOD, callback_url=receiver.url)
    (received,) = receiver.wait(1)
    assert verify_signature(received, SECRET) == verify_signature(received, OLD_SECRET)


def test_delivered_retried_and_dead_webhooks_are_counted(url: str, sender_process: SenderProcess) -> None:
    text = httpx.get(f"{url}/metrics").text
    counted = dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("sandbox_webhook"))
    for name in ("delivered", "failed", "dead"):
        assert float(counted[f'sandbox_webhook_attempts_total{{outcome="{name}"}}']) >= 1
    assert float(counted['sandbox_webhooks_total{outcome="delivered"}']) >= 1
    assert float(counted["sandbox_webhook_attempt_duration_seconds_count"]) >= 1


# --- Judge0


def test_judge0s_callback_sends_the_submission_in_the_format_of_judge0(
    url: str, receiver: Receiver, sender_process: SenderProcess
) -> None:
    body = {"source_code": "print(7)", "language_id": 71, "expected_output": "8", "callback_url": receiver.url}
    answer = httpx.post(f"{url}/dialects/judge0/submissions", json=body)
    assert answer.status_code == 201, answer.text
    (received,) = receiver.wait(1)
    payload = verify_signature(received)
    assert (received.method, payload["token"]) == ("PUT", answer.json()["token"])
    assert payload["status"] == {"id": 4, "description": "Wrong Answer"}
    assert payload["stdout"] == "Nwo="
