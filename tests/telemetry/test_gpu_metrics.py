"""Reports of GPU jobs and of their generation servers become metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox.gpu.serving.engine import RemoteEngine, fetch_metrics
from sandbox.schema.gpu import Progress
from sandbox.telemetry.gpu_metrics import GpuMetrics
from sandbox.telemetry.registry import MetricsRegistry
from tests.http_servers import serve_http

SERVER = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{model_name="a"}} 5
vllm:num_requests_running{{model_name="b"}} 1
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{model_name="a"}} 2
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{model_name="a"}} 0.25
# TYPE vllm:generation_tokens counter
vllm:generation_tokens_total{{model_name="a"}} {tokens}
"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[MetricsRegistry]:
    with closing(MetricsRegistry(tmp_path, "gpu-0")) as registry:
        yield registry


def read_lines(registry: MetricsRegistry) -> list[str]:
    return registry.render().decode().splitlines()


def test_servers_numbers_are_added_up(registry: MetricsRegistry) -> None:
    GpuMetrics(registry).record_server_metrics([SERVER.format(tokens=10), SERVER.format(tokens=20)])
    exposed = read_lines(registry)
    assert "sandbox_gpu_requests_running 12.0" in exposed
    assert "sandbox_gpu_requests_waiting 4.0" in exposed
    assert "sandbox_gpu_kv_cache_usage_ratio 0.25" in exposed
    assert 'sandbox_gpu_tokens_total{direction="completion"} 30.0' in exposed


def test_tokens_go_on_being_counted_when_a_server_starts_anew(registry: MetricsRegistry) -> None:
    gpu = GpuMetrics(registry)
    for tokens in (100, 150, 20):
        gpu.record_server_metrics([SERVER.format(tokens=tokens)])
    assert 'sandbox_gpu_tokens_total{direction="completion"} 170.0' in read_lines(registry)


def test_servers_that_rest_use_nothing(registry: MetricsRegistry) -> None:
    gpu = GpuMetrics(registry)
    gpu.record_server_metrics([SERVER.format(tokens=1)])
    gpu.record_server_metrics([])
    assert "sandbox_gpu_requests_running 0.0" in read_lines(registry)
    gpu.record_server_metrics(["<html>no metrics</html>"])
    assert "sandbox_gpu_kv_cache_usage_ratio 0.0" in read_lines(registry)


def test_a_jobs_progress_and_where_its_time_went_are_told(registry: MetricsRegistry) -> None:
    gpu = GpuMetrics(registry)
    gpu.record_start("train_grpo")
    gpu.record_progress("train_grpo", Progress(step=3, loss=0.5, reward=0.25, pass_rate=0.1, tokens_per_s=90.0))
    gpu.record_step_times({"step_s": 3.0, "generate_s": 2.0, "verdict_s": 0.25, "mean_length": None})
    assert {
        'sandbox_gpu_jobs_running{kind="train_grpo"} 1.0',
        'sandbox_gpu_training_step{kind="train_grpo"} 3.0',
        'sandbox_gpu_training_loss{kind="train_grpo"} 0.5',
        'sandbox_gpu_job_reward{kind="train_grpo"} 0.25',
        'sandbox_gpu_job_pass_ratio{kind="train_grpo"} 0.1',
        "sandbox_gpu_generation_seconds_total 2.0",
        "sandbox_gpu_verdict_wait_seconds_total 0.25",
        "sandbox_gpu_training_seconds_total 0.75",
    } <= set(read_lines(registry))
    gpu.record_end("train_grpo", "finished")
    exposed = read_lines(registry)
    assert 'sandbox_gpu_jobs_running{kind="train_grpo"} 0.0' in exposed
    assert 'sandbox_gpu_jobs_total{kind="train_grpo",status="finished"} 1.0' in exposed


def test_what_running_servers_say_is_read_from_them(registry: MetricsRegistry) -> None:
    """A server that does not answer reports nothing, and delays nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/metrics" else 404)
            self.end_headers()
            self.wfile.write(SERVER.format(tokens=7).encode())

        def log_message(self, format: str, *args: object) -> None:
            return

    with serve_http(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        texts = fetch_metrics(RemoteEngine(f"{url}/v1"))
    GpuMetrics(registry).record_server_metrics(texts)
    assert "sandbox_gpu_requests_running 6.0" in read_lines(registry)
    assert fetch_metrics(RemoteEngine("http://127.0.0.1:9/v1")) == []
