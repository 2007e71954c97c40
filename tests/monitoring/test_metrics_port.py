"""Metrics on a separate port: Prometheus reads them without an API key, and KEDA scales by them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.telemetry.server import serve_host_in_background
from tests.api.threaded_server import serve_in_thread
from tests.processes.sandbox_command import build_environment, find_free_port
from tests.redis_server import RedisServer

ROOT = Path(__file__).resolve().parents[2]
KEY_ENTRY = f"trainer:submit:{'0' * 64}"


def test_metrics_need_no_key_on_their_own_port(redis_server: RedisServer, tmp_path: Path) -> None:
    port = find_free_port()
    settings = ApiSettings(home=tmp_path, redis_url=redis_server.build_url(7), api_keys=KEY_ENTRY, metrics_port=port)
    with serve_in_thread(create_app(settings)) as url:
        assert httpx.get(f"{url}/metrics", trust_env=False).status_code == 401
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False)
        assert answer.status_code == 200
        assert 'sandbox_queue_oldest_seconds{lane="rl"} 0' in answer.text
        assert httpx.get(f"http://127.0.0.1:{port}/jobs", trust_env=False).status_code == 404


def test_the_webhook_sender_serves_metrics_too(redis_server: RedisServer, tmp_path: Path) -> None:
    port = find_free_port()
    environment = build_environment(
        tmp_path,
        SANDBOX_REDIS_URL=redis_server.build_url(7),
        SANDBOX_WEBHOOK_SECRET="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        SANDBOX_WORKER_METRICS_PORT=str(port),
    )
    process = subprocess.Popen([sys.executable, "-m", "sandbox", "deliver"], env=environment, cwd=ROOT)
    try:
        text = ""
        while process.poll() is None and "sandbox_webhooks_total" not in text:
            with suppress(httpx.TransportError):
                text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
            time.sleep(0.02)
        assert 'sandbox_webhooks_total{outcome="dead"} 0.0' in text
    finally:
        process.kill()
        process.wait()


def test_a_port_in_use_does_not_stop_the_webhook_sender(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serve_host_in_background(tmp_path, "127.0.0.1", port):
            assert [record.levelname for record in caplog.records] == ["WARNING"]
            assert f"no metrics at port {port}: " in caplog.text


def test_one_process_of_a_host_opens_the_port(redis_server: RedisServer, tmp_path: Path) -> None:
    settings = ApiSettings(home=tmp_path, redis_url=redis_server.build_url(7), metrics_port=find_free_port())
    with serve_in_thread(create_app(settings)), serve_in_thread(create_app(settings, process_number=1)) as second:
        assert httpx.get(f"{second}/health/live", trust_env=False).status_code == 200
