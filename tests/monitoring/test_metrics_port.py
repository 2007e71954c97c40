"""Metrics on a separate port: Prometheus reads them without an API key, and KEDA scales by them."""

from __future__ import annotations

from pathlib import Path

import httpx

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from tests.api.threaded_server import serve_in_thread
from tests.processes.sandbox_command import find_free_port
from tests.redis_server import RedisServer

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


def test_one_process_of_a_host_opens_the_port(redis_server: RedisServer, tmp_path: Path) -> None:
    settings = ApiSettings(home=tmp_path, redis_url=redis_server.build_url(7), metrics_port=find_free_port())
    with serve_in_thread(create_app(settings)), serve_in_thread(create_app(settings, process_number=1)) as second:
        assert httpx.get(f"{second}/health/live", trust_env=False).status_code == 200
