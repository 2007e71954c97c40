"""API keys: who is accepted, what each role may do, the format of refusals, and what they never reveal."""

from __future__ import annotations

import asyncio
import gzip
import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.api.keyring import generate_key, parse_keyring
from sandbox.cli import app
from sandbox.client import AsyncClient, Client
from sandbox.config import ApiSettings
from sandbox.errors import BadRequest, Unauthorized
from sandbox.processes.api_address import refuse_public_without_keys
from sandbox.processes.state_dir import LifecycleError
from sandbox.request_context import CURRENT_CALLER, Caller, Role
from sandbox.schema import Problem
from tests.api.fake_service import FakeService
from tests.api.test_submissions import EXECUTE, VERIFY
from tests.api.threaded_server import serve_in_thread

TRAINER = generate_key("trainer", Role.SUBMIT)
ADMIN = generate_key("boss", Role.ADMIN)
KEYS = f"{TRAINER.entry}:rate=100:burst=500:queued=10000, {ADMIN.entry}"
PROTECTED_ROUTES = [
    ("POST", "/execute"),
    ("POST", "/verify"),
    ("POST", "/execute/batch"),
    ("POST", "/verify/vote"),
    ("POST", "/verify/hack"),
    ("POST", "/verify/hack/batch"),
    ("POST", "/reward"),
    ("PUT", f"/tasks/{'0' * 64}"),
    ("GET", "/jobs/1"),
    ("DELETE", "/jobs/1"),
    ("GET", "/languages"),
    ("GET", "/metrics"),
    ("GET", "/live"),
    ("GET", "/nothing-there"),
    ("POST", "/dialects/piston/api/v2/execute"),
    ("POST", "/dialects/judge0/submissions"),
    ("POST", "/dialects/sandbox_fusion/run_code"),
    ("POST", "/./execute"),
]


def build_bearer_header(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def guarded(service: FakeService, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(ApiSettings(home=tmp_path, max_body_mb=1, api_keys=KEYS), service)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        yield client


@pytest.mark.parametrize(("method", "path"), PROTECTED_ROUTES)
async def test_without_a_key_nothing_is_served(guarded: httpx.AsyncClient, method: str, path: str) -> None:
    for headers in (
        {},
        build_bearer_header(""),
        build_bearer_header(TRAINER.key[:-1]),
        build_bearer_header(TRAINER.key + "x"),
        {"Authorization": "Basic ?"},
    ):
        response = await guarded.request(method, path, headers=headers, json=EXECUTE)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].split()[0] in {"Bearer", "Basic"}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/openapi.json", "/guide/tutorial.md"])
async def test_health_and_pages_that_are_the_same_for_all_are_open(guarded: httpx.AsyncClient, path: str) -> None:
    assert (await guarded.get(path)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        build_bearer_header(TRAINER.key),
        {"Authorization": f"bearer  {TRAINER.key} "},
        {"Authorization": TRAINER.key},
        {"X-Auth-Token": TRAINER.key},
        {"Authorization": "Basic " + b64encode(f"anyone:{TRAINER.key}".encode()).decode()},
    ],
)
async def test_a_known_key_is_let_in_however_it_comes(guarded: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await guarded.post("/verify", json=VERIFY, headers=headers)).status_code == 200
    assert CURRENT_CALLER.get() is None


async def test_what_tells_of_all_clients_is_for_admins(guarded: httpx.AsyncClient) -> None:
    response = await guarded.get("/metrics", headers=build_bearer_header(TRAINER.key))
    assert (response.status_code, Problem.model_validate_json(response.content).type) == (403, "urn:sandbox:forbidden")
    assert (await guarded.get("/metrics", headers=build_bearer_header(ADMIN.key))).status_code == 200


async def test_a_dialect_refuses_in_its_own_words(guarded: httpx.AsyncClient) -> None:
    piston = await guarded.post("/dialects/piston/api/v2/execute", json={})
    assert (piston.status_code, set(piston.json())) == (401, {"message"})
    judge0 = await guarded.get("/dialects/judge0/languages")
    assert (judge0.status_code, set(judge0.json())) == (401, {"error"})
    judge0 = await guarded.get("/dialects/judge0/languages", headers={"X-Auth-Token": TRAINER.key})
    assert judge0.status_code == 200


async def test_a_key_is_in_no_answer_and_in_no_log(
    guarded: httpx.AsyncClient, service: FakeService, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    service.refusal = RuntimeError("boom")
    answers = [
        await guarded.post("/execute", json=EXECUTE, headers=build_bearer_header(TRAINER.key)),
        await guarded.post("/execute", json=EXECUTE, headers=build_bearer_header(TRAINER.key + "x")),
        await guarded.get("/metrics", headers=build_bearer_header(TRAINER.key)),
        await guarded.get("/metrics", headers=build_bearer_header(ADMIN.key)),
    ]
    output = "".join(answer.text + str(answer.headers) for answer in answers) + caplog.text
    output += repr(ApiSettings(home=tmp_path, api_keys=KEYS))
    secret = TRAINER.key.split("_", 2)[2]
    assert "boom" in caplog.text
    assert secret not in output
    assert TRAINER.entry.split(":")[2] not in output


def test_an_entry_tells_role_rate_burst_and_quota() -> None:
    ring = parse_keyring(KEYS, Caller("", rate=1.0, burst=2, max_queued=3))
    assert ring.authenticate(TRAINER.key.encode()) == Caller("trainer", Role.SUBMIT, 100.0, 500, 10_000)
    assert ring.authenticate(ADMIN.key.encode()) == Caller("boss", Role.ADMIN, 1.0, 2, 3)


@pytest.mark.parametrize(
    "entries",
    [
        "nonsense",
        "a:root:" + "0" * 64,
        "a:admin:" + "0" * 63,
        "A b:admin:" + "0" * 64,
        f"{ADMIN.entry}:fast=1",
        KEYS + "," + ADMIN.entry,
    ],
    ids=range(6),
)
def test_an_entry_that_is_wrong_is_refused_and_not_repeated(entries: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_keyring(entries, Caller(""))
    assert entries.split(":")[-1] not in str(caught.value).replace("rate=N", "")


def test_a_keys_id_has_no_strange_characters() -> None:
    with pytest.raises(BadRequest):
        generate_key("a\nb", Role.SUBMIT)


def test_every_entry_is_compared_in_constant_time_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(known: bytes, digest: bytes) -> bool:
        compared.append(known)
        return known == digest

    monkeypatch.setattr("sandbox.api.keyring.hmac.compare_digest", compare)
    ring = parse_keyring(KEYS, Caller(""))
    ring.authenticate(TRAINER.key.encode())
    with pytest.raises(Unauthorized):
        ring.authenticate(b"none")
    assert len(compared) == 4


def test_beyond_loopback_keys_or_a_word_are_needed(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org"):
        with pytest.raises(LifecycleError, match="sandbox keys new"):
            refuse_public_without_keys(ApiSettings(home=tmp_path, host=host))
        refuse_public_without_keys(ApiSettings(home=tmp_path, host=host, api_keys=KEYS))
        refuse_public_without_keys(ApiSettings(home=tmp_path, host=host, public_without_keys=True))
    for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost"):
        refuse_public_without_keys(ApiSettings(home=tmp_path, host=host))


async def test_a_gzip_body_is_unpacked(http: httpx.AsyncClient, service: FakeService) -> None:
    packed = gzip.compress(b'{"language":"python","code":"print(1)"}', mtime=0)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await http.post("/execute", content=packed, headers=headers)).json()["stdout"] == "print(1)"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(bytes(64 << 20), mtime=0), 413),
        (gzip.compress(bytes(1 << 20), mtime=0)[:-1], 400),
        (gzip.compress(b"{}", mtime=0) + b"more", 400),
        (gzip.compress(b"{}", mtime=0) + gzip.compress(b"{}", mtime=0), 400),
        (b"\x1f\x8b", 400),
        (b"", 400),
        (b"{}", 400),
    ],
)
async def test_a_gzip_body_that_is_a_bomb_or_broken_is_refused(
    http: httpx.AsyncClient, body: bytes, status: int
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await http.post("/execute", content=body, headers=headers)).status_code == status


def test_the_clients_send_their_key(service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_in_thread(create_app(ApiSettings(home=tmp_path, api_keys=KEYS), service)) as url:
        with Client(url) as stranger, pytest.raises(Unauthorized):
            stranger.execute(EXECUTE)
        with Client(url, api_key=TRAINER.key) as known:
            assert known.execute(EXECUTE).status == "ok"
        monkeypatch.setenv("SANDBOX_API_KEY", TRAINER.key)
        with Client(url) as known:
            assert known.execute(EXECUTE).status == "ok"

        async def ask() -> str:
            async with AsyncClient(url) as client:
                return (await client.execute(EXECUTE)).status

        assert asyncio.run(ask()) == "ok"


def test_the_command_makes_a_key_that_its_entry_lets_in(capsys: pytest.CaptureFixture[str]) -> None:
    app(["keys", "new", "ci", "--role", "admin"], standalone_mode=False)
    key, entry = capsys.readouterr().out.split()
    assert parse_keyring(entry, Caller("")).authenticate(key.encode()) == Caller("ci", Role.ADMIN)
    assert key.partition("_")[0] == "sbx"
