"""A complete service under a load in which everything happens at least once, and a real Prometheus that scrapes it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import httpx
import yaml
from docker.errors import APIError

from deploy.monitoring.generated_files import ROOT
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.client import Client
from sandbox.schema.gpu import Progress
from sandbox.telemetry.gpu_metrics import GpuMetrics
from sandbox.telemetry.process_files import get_metrics_folder
from sandbox.telemetry.registry import MetricsRegistry
from tests.http_servers import serve_http
from tests.processes.sandbox_command import build_environment, find_free_port

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
START_TIMEOUT_S = 120.0
SCRAPE_INTERVAL_S = 1
MAX_QUEUED = 60
SETTINGS = {
    "SANDBOX_SLOTS": "2",
    "SANDBOX_SESSIONS": "4",
    "SANDBOX_BOX_MAX_RUNS": "6",
    "SANDBOX_MAX_QUEUED": str(MAX_QUEUED),
    "SANDBOX_WEBHOOK_SECRET": SECRET,
    "SANDBOX_WEBHOOK_NETWORKS": "127.0.0.1",
    "SANDBOX_WEBHOOK_TRIES": "1",
}
RIGHT = "print(sum(map(int, input().split())))"
WRONG = "print(0)"
NUMPY = "import numpy\nprint(numpy.array(input().split(), dtype=int).sum())"
CPP = "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }"
HEARTBEAT_WITHIN_S = 5.0  # a heartbeat reports the running item
SLEEPING = "import time\ntime.sleep(6)\nprint(5)"
TESTS = [{"stdin": "2 3", "expected": "5"}, {"stdin": "4 5", "expected": "9"}]
VLLM = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{model_name="m"}} 7
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{model_name="m"}} 3
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{model_name="m"}} 0.5
# TYPE vllm:prompt_tokens counter
vllm:prompt_tokens_total{{model_name="m"}} {prompt}
# TYPE vllm:generation_tokens counter
vllm:generation_tokens_total{{model_name="m"}} {generated}
"""


@contextmanager
def run_service(home: Path, **settings: str) -> Iterator[str]:
    """Run a service with all its processes, started as by `sandbox up`, and yield its URL."""
    port = find_free_port()
    (home / "log").mkdir()
    command = [sys.executable, "-m", "sandbox", "up", "--port", str(port), "--log-to-files"]
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(command, env=build_environment(home, **settings), stdout=log, stderr=log, cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _is_ready(url):
            assert process.poll() is None, (home / "up.log").read_text()[-4000:]
            assert time.monotonic() < deadline, (home / "up.log").read_text()[-4000:]
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def run_receiver() -> Iterator[str]:
    """Run a webhook receiver that accepts webhooks at /good and rejects them for good at /gone."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(410 if self.path == "/gone" else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with serve_http(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


class Prometheus:
    """A Prometheus for the test. It has the shipped configuration, except for addresses and intervals."""

    def __init__(self, folder: Path, target: str) -> None:
        self._folder = folder
        self._target = target
        self._url = f"http://127.0.0.1:{find_free_port()}"

    @contextmanager
    def run(self) -> Iterator[Prometheus]:
        shipped = ROOT / "deploy/prometheus"
        configuration = yaml.safe_load((shipped / "prometheus.yml").read_text())
        configuration["global"] = {
            "scrape_interval": f"{SCRAPE_INTERVAL_S}s",
            "evaluation_interval": f"{SCRAPE_INTERVAL_S}s",
        }
        configuration["scrape_configs"][0]["static_configs"] = [{"targets": [self._target]}]
        shutil.copy(shipped / "rules.yml", self._folder)
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        command = [
            "prometheus",
            f"--config.file={self._folder}/prometheus.yml",
            f"--storage.tsdb.path={self._folder}/data",
            f"--web.listen-address={self._url.removeprefix('http://')}",
        ]
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not _responds_ok(f"{self._url}/-/ready"):
                assert process.poll() is None, (self._folder / "prometheus.log").read_text()[-4000:]
                assert time.monotonic() < deadline
                time.sleep(0.1)
            yield self
        finally:
            process.terminate()
            process.wait(30)

    def query_values(self, query: str) -> list[float]:
        """Return the current values of an instant query. Raises AssertionError if Prometheus rejects it."""
        answer = httpx.get(f"{self._url}/api/v1/query", params={"query": query}, timeout=30, trust_env=False).json()
        assert answer["status"] == "success", f"{query}: {answer.get('error')}"
        return [float(one["value"][1]) for one in answer["data"]["result"]]

    def fetch_rules(self) -> Sequence[Mapping[str, Any]]:
        answer = httpx.get(f"{self._url}/api/v1/rules", timeout=30, trust_env=False).json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]


class Load:
    """A load that repeatedly causes everything that the panels show, until it is stopped."""

    def __init__(self, url: str, home: Path, receiver_url: str) -> None:
        self._url = url
        self._home = home
        self._receiver = receiver_url
        self._http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self._registry = MetricsRegistry(get_metrics_folder(home), "gpu-0")
        self._gpu_metrics = GpuMetrics(self._registry)
        self._rounds = 0

    def close(self) -> None:
        self._http.close()
        self._registry.close()

    def run_round(self) -> None:
        """Cause everything once."""
        self._rounds += 1
        for code in (RIGHT, WRONG, NUMPY):
            self._post("/verify", {"language": "python", "code": code, "tests": TESTS})
        self._post("/verify", {"language": "cpp", "code": f"// {self._rounds}\n{CPP}", "tests": TESTS})
        self._post(
            "/verify/batch", {"items": [_build_item(RIGHT), _build_item(WRONG), _build_item(RIGHT), _build_item(WRONG)]}
        )
        self._post("/execute", {"language": "bash", "code": "echo hello; cat", "stdin": "x" * 1_000})
        fenced = [f"```python\n{code}\n```" for code in (RIGHT, WRONG, RIGHT, WRONG)]
        self._post("/reward", {"completions": [*fenced, "no code"], "tests": [TESTS]})
        for path in ("good", "gone"):
            body = {"language": "python", "code": RIGHT, "tests": TESTS, "callback_url": f"{self._receiver}/{path}"}
            self._post("/verify", body, Prefer="respond-async")
        self._submit_refused_and_cancelled()
        self._use_session()
        self._record_gpu_metrics()

    def break_box(self) -> None:
        """End a box in the middle of a run. The run is retried in another box, and the client does not notice."""
        responses: list[httpx.Response] = []
        slow = {"language": "python", "code": SLEEPING, "tests": [{"expected": "5"}]}
        waiting = threading.Thread(target=lambda: responses.append(self._post("/verify", slow)))
        waiting.start()
        deadline = time.monotonic() + HEARTBEAT_WITHIN_S
        while time.monotonic() < deadline and not self._is_running():
            time.sleep(0.1)
        engine = docker.from_env()
        try:
            labelled = {"label": f"{HOME_LABEL}={self._home}"}
            for box in engine.containers.list(filters=labelled, ignore_removed=True):
                with suppress(APIError):  # it may have ended by itself
                    box.kill()
        finally:
            engine.close()
        waiting.join()
        assert responses[0].json()["verdict"] == "accepted", responses[0].text

    def _is_running(self) -> bool:
        return any(slot["running"] for slot in self._http.get("/live").json()["slots"])

    def _submit_refused_and_cancelled(self) -> None:
        items = [{"language": "python", "code": RIGHT, "tests": TESTS[:1]}] * (MAX_QUEUED + 1)
        assert self._http.post("/verify/batch", json={"items": items}).status_code == 503
        later = self._post("/verify", {"language": "python", "code": RIGHT, "tests": TESTS}, Prefer="respond-async")
        self._http.delete(later.headers["Location"])

    def _use_session(self) -> None:
        """Call and fork a session."""
        with Client(self._url) as client, client.session() as session:
            session.execute("x = 1")
            assert session.execute("1 / x").status == "ok"
            with session.fork()[0] as fork:
                assert fork.execute("x / 0").status == "error"

    def _record_gpu_metrics(self) -> None:
        """Record what a GPU worker would record, because there is no GPU here."""
        numbers = VLLM.format(prompt=100 * self._rounds, generated=1_000 * self._rounds)
        progress = Progress(step=self._rounds, total=100, loss=1.5, reward=0.4, pass_rate=0.25, tokens_per_s=900.0)
        self._gpu_metrics.record_start("train_grpo")
        self._gpu_metrics.record_server_metrics([numbers])
        self._gpu_metrics.record_progress("train_grpo", progress)
        self._gpu_metrics.record_step_times({"step_s": 2.0, "generate_s": 1.2, "verdict_s": 0.1})
        self._gpu_metrics.record_end("train_grpo", "finished")

    def _post(self, path: str, body: Mapping[str, Any], **headers: str) -> httpx.Response:
        response = self._http.post(path, json=body, headers=headers)
        assert response.status_code in {200, 202}, response.text
        return response


def _build_item(code: str) -> dict[str, Any]:
    return {"language": "python", "code": code, "tests": TESTS, "priority": "rl"}


def _is_ready(url: str) -> bool:
    return _responds_ok(f"{url}/health/ready")


def _responds_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
