"""The service starts and judges with every documented setting changed from its default.

Each start of real processes changes as many settings as can be combined. The test reads the environment of each running
process with the process's own settings class, which finds values that `sandbox up` does not pass on. Where a value has
an effect that can be seen from outside, the test checks that, too.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import docker
import httpx
import pytest
from pydantic_settings import BaseSettings
from redis import Redis

from deploy.monitoring.alerts import ALERTS
from sandbox.api.keyring import generate_key
from sandbox.box.docker.leftovers import HOME_LABEL, remove_boxes
from sandbox.client import Client
from sandbox.config import (
    ApiSettings,
    ClientSettings,
    GpuSettings,
    HostSettings,
    SessionSettings,
    UpSettings,
    WebhookSettings,
    WorkerSettings,
)
from sandbox.docs.generate import FOLDER as REFERENCE
from sandbox.docs.generate import PAGES as GENERATED
from sandbox.docs.generate import settings_page
from sandbox.request_context import Role
from sandbox.schema import JobStatus
from sandbox.schema.gpu import GpuJob
from tests.docs.conftest import ROOT, WEBHOOK_SECRET
from tests.docs.test_commands import TEST_ONLY_SETTINGS
from tests.docs.test_pages import PAGES
from tests.processes.sandbox_command import build_environment, find_free_port, find_processes
from tests.queue.submit_and_wait import wait_until
from tests.redis_server import RedisServer
from tests.webhooks.receiver import Receiver, run_receiver

EXAMPLES = [ROOT / "deploy/compose.env.example", ROOT / "deploy/systemd/sandbox.env.example"]
NAME = re.compile(r"\bSANDBOX_[A-Z][A-Z_]*[A-Z]\b")
# A value ends where a sentence, a table or a quotation goes on; one that stands for a reader's own is none.
GIVEN = re.compile(r"\b(SANDBOX_[A-Z][A-Z_]*[A-Z])=([^\s`'\",;|)]+)")
STANDS_FOR = re.compile(r"[$<…{]|\b[A-Z]{3,}\b")

# Values that differ from the default, where no page gives one that can be used here.
VALUES = {
    "ALLOWED_HOSTS": "sandbox.internal",
    "BODY_TIMEOUT_S": "40",
    "BOX_CPUS": "0.5",
    "BOX_MAX_AGE_S": "600",
    "BOX_MAX_RUNS": "100",
    "BOX_PROCESSES": "256",
    "BOX_TMPFS_MB": "256",
    "API_PROCESSES": "2",
    "DOCKER_RUNTIME": "runc",
    "EXPRESS": "0",
    "FRESH_READY": "1",
    "GPUS": "0,1,2,3,4,5,6,7",
    "GPU_ATTEMPTS": "2",
    "GPU_LEASE_S": "5",
    "GPU_PYTHON": sys.executable,
    "GPU_SERVERS": "2",
    "GPU_WORKERS": "2",
    "HEADER_TIMEOUT_S": "10",
    "KEY_BURST": "50",
    "KEY_MAX_KEPT_MB": "64",
    "KEY_MAX_QUEUED": "1000",
    "KEY_MAX_SESSIONS": "10",
    "KEY_RATE": "100",
    "LEASE_S": "5",
    "LLM_DATA_PARALLEL": "2",
    "LLM_KEY": "key",
    "LLM_MODULE": "tests.gpu.scripted_server",
    "LLM_REQUESTS": "8",
    "LLM_START_PATIENCE_S": "40",
    "LLM_TENSOR_PARALLEL": "2",
    "LOG_LEVEL": "warning",
    "MAX_KEPT_MB": "100",
    "MAX_QUEUED_MB": "64",
    "METRICS_HOST": "127.0.0.2",
    "QUEUE_TTL_S": "3000",
    "RAY_ADDRESS": "auto",
    "REDIS_MAX_MB": "200",
    "REQUEST_TIMEOUT_S": "60",
    "RESULT_TTL_S": "500",
    "SESSION_BOX_USES": "50",
    "SESSION_MEMORY_MB": "1024",
    "SESSION_SPARES": "1",
    "SLOTS": "1",
    "SPARE_BOXES": "0",
    "TASK_SET_TTL_S": "1000",
    "TRACE_RATIO": "0.999",
    "WEBHOOK_DEAD_TTL_S": "1000",
    "WEBHOOK_FIRST_DELAY_S": "0.5",
    "WEBHOOK_MAX_DELAY_S": "60",
    "WEBHOOK_NETWORKS": "127.0.0.0/8",
    "WEBHOOK_SECRET": WEBHOOK_SECRET,
    "WEBHOOK_TIMEOUT_S": "5",
    "WEBHOOK_TRIES": "3",
}
# Values that are made for each start: places, ports and keys.
GENERATED_VALUES = {
    "API_KEY",
    "API_KEYS",
    "GPU_FOLDER",
    "HOME",
    "LLM_OPTIONS",
    "METRICS_PORT",
    "OTLP_ENDPOINT",
    "PORT",
    "REDIS_URL",
    "URL",
    "WORKER_METRICS_PORT",
}
# What does not go together with most others has a start of its own; `up` has all others of `UpSettings`.
LOCAL_ENGINE_SETTINGS = {"BOX_MAX_AGE_S", "BOX_MAX_RUNS", "ENGINE", "HOST", "PUBLIC_WITHOUT_KEYS", "SPARE_BOXES"}
SEVERAL_HOSTS_SETTINGS = {"REDIS_URL", "WORKER_METRICS_HOST", "WORKER_METRICS_PORT"}
EXTERNAL_MODEL_SERVER_SETTINGS = {"LLM_KEY", "LLM_URL"}
# Documented values with which nothing can be started here: their settings classes take them, and that is all we see.
NOT_STARTED = {
    "SANDBOX_DOCKER_RUNTIME=runsc": "needs gVisor; `tests/gvisor` runs programs under it",
    "SANDBOX_DOCKER_RUNTIME=kata": "needs Kata Containers, which need a machine that runs virtual machines",
    "SANDBOX_PIN=boxes": "the start pins slots",
    "SANDBOX_PIN=none": "the default on a small host",
    "SANDBOX_RUN=grpo/seed=0": "a trainer reads it, and its own tests do",
    "SANDBOX_GPUS=1": "the start has eight, so that two servers of two GPUs each fit twice",
    "SANDBOX_GPU_PYTHON=/opt/vllm/bin/python": "an interpreter that is not here",
    "SANDBOX_GPU_SERVERS=1": "leaves the second worker to training, which needs torch",
    "SANDBOX_REDIS_URL=redis://queue:6379": "a host that is not here",
    "SANDBOX_ROOT_DIALECT=e2b": "the start serves another dialect at the root",
    "SANDBOX_URL=http://api:8080": "a host that is not here",
    "SANDBOX_WEBHOOK_NETWORKS=10.0.0.0/8": "the start's webhook goes to this machine",
    "SANDBOX_WORKER_METRICS_PORT=9464": "a port that may be taken",
}
PROCESSES: Mapping[str, type[BaseSettings]] = {
    "up": UpSettings,
    "serve": ApiSettings,
    "worker": WorkerSettings,
    "worker-slot": WorkerSettings,
    "session-host": SessionSettings,
    "deliver": WebhookSettings,
    "host-metrics": HostSettings,
    "gpu-worker": GpuSettings,
    "gpu-worker-share": GpuSettings,
}
EXPECTED = {"language": "python", "code": "print(6 * 7)", "tests": [{"expected": "42\n"}]}
TIMEOUT_S = 60.0


def iter_texts() -> Iterator[str]:
    """What tells a reader about settings, the pages made from the code aside."""
    generated = {REFERENCE / name for name in GENERATED}
    for page in [*PAGES, *EXAMPLES]:
        if page not in generated:
            yield page.read_text(encoding="utf-8")
    for alert in ALERTS:
        yield alert.runbook


def find_named_settings() -> set[str]:
    """Every setting that a text names, without its prefix; and those of the generated page, which has them all."""
    found = {name for text in iter_texts() for name in NAME.findall(text) if not TEST_ONLY_SETTINGS.match(name)}
    for kind in settings_page.list_settings_classes():
        found |= {settings_page.format_variable(name) for name in settings_page.list_own_fields(kind)}
    return {name.removeprefix("SANDBOX_") for name in found}


def find_documented_values() -> dict[str, str]:
    """Every value that a text gives: `SANDBOX_X=value`, and the name."""
    found = {}
    for text in iter_texts():
        for name, value in GIVEN.findall(text):
            if not TEST_ONLY_SETTINGS.match(name) and not STANDS_FOR.search(value):
                found[f"{name}={value.rstrip('.')}"] = name.removeprefix("SANDBOX_")
    return found


def get_settings_class(name: str) -> type[BaseSettings]:
    kinds = [kind for kind in (UpSettings, GpuSettings, ClientSettings) if name.lower() in kind.model_fields]
    assert kinds, f"SANDBOX_{name} is no setting"
    return kinds[0]


def load_settings(kind: type[BaseSettings], environ: Mapping[str, str]) -> dict[str, Any]:
    """What a settings class reads from an environment, by field."""
    with patch.dict(os.environ, environ, clear=True):
        return dict(kind())


def choose_value(name: str) -> str | None:
    """The value to start with: the table's, else the documented one."""
    if name in VALUES:
        return VALUES[name]
    given = [
        text.partition("=")[2]
        for text, of in find_documented_values().items()
        if of == name and text not in NOT_STARTED
    ]
    return next((value for value in given if differs_from_default(name, value)), None)


def differs_from_default(name: str, value: str) -> bool:
    kind = get_settings_class(name)
    bare = {"HOME": "/"}
    return bool(
        load_settings(kind, {**bare, f"SANDBOX_{name}": value})[name.lower()] != load_settings(kind, bare)[name.lower()]
    )


def list_setting_names(kind: type[BaseSettings]) -> set[str]:
    return {name.upper() for name in kind.model_fields}


def list_up_settings() -> set[str]:
    return list_setting_names(UpSettings) - LOCAL_ENGINE_SETTINGS - SEVERAL_HOSTS_SETTINGS


def list_gpu_settings() -> set[str]:
    return list_setting_names(GpuSettings) - list_setting_names(HostSettings) - EXTERNAL_MODEL_SERVER_SETTINGS


def build_values(names: set[str]) -> dict[str, str]:
    """An environment of the settings whose values are not made at the start."""
    return {
        f"SANDBOX_{name}": value
        for name in sorted(names - GENERATED_VALUES)
        if (value := choose_value(name)) is not None
    }


# --- nothing is left out


def test_every_setting_that_is_named_has_a_value_and_a_start() -> None:
    without_value = {
        name for name in find_named_settings() if name not in GENERATED_VALUES and choose_value(name) is None
    }
    assert not without_value, f"no page gives a value for these, and VALUES has none: {sorted(without_value)}"
    started = (
        list_up_settings()
        | LOCAL_ENGINE_SETTINGS
        | SEVERAL_HOSTS_SETTINGS
        | list_gpu_settings()
        | EXTERNAL_MODEL_SERVER_SETTINGS
        | {"API_KEY"}
    )
    assert find_named_settings() - started == set()


def test_every_value_of_the_table_is_needed_and_differs_from_the_default() -> None:
    assert set(VALUES) | GENERATED_VALUES <= find_named_settings()
    assert [name for name, value in VALUES.items() if not differs_from_default(name, value)] == []


@pytest.mark.parametrize(("given", "name"), find_documented_values().items(), ids=list(find_documented_values()))
def test_a_documented_value_is_taken(given: str, name: str) -> None:
    value = given.partition("=")[2]
    load_settings(get_settings_class(name), {"HOME": "/", f"SANDBOX_{name}": value})
    used = name in GENERATED_VALUES or value == choose_value(name) or not differs_from_default(name, value)
    assert used or given in NOT_STARTED, f"no start has {given}; NOT_STARTED may say why"


def test_what_is_not_started_is_documented() -> None:
    assert set(NOT_STARTED) <= set(find_documented_values())


# --- starts


@dataclass
class StartedProcesses:
    """What runs on one home and was given these settings."""

    home: Path
    url: str
    given: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command that ends."""
        return subprocess.run(
            [sys.executable, "-m", "sandbox", *words],
            env=build_environment(self.home, **{**self.given, **more}),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S + 40,
            check=False,
        )

    def start(self, name: str, *words: str, **more: str) -> None:
        """A process that runs until `stop`, on a home of its own as on a host of its own."""
        home = self.home / name
        home.mkdir()
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "sandbox", *words],
                env=build_environment(home, **{**self.given, **more, "SANDBOX_HOME": str(home)}),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for name, process in self.processes.items():
            try:
                process.wait(30)
            finally:
                process.kill()
                assert remove_boxes(self.home / name) == 0, f"{name} left boxes"

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text(errors="replace")

    def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait, for as long as everything runs."""

        def now() -> bool:
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} has ended:\n{self.log(name)[-3000:]}"
            return bool(holds())

        wait_until(now, what, TIMEOUT_S)

    def assert_running(self, words: Mapping[str, int], home: Path | None = None) -> list[int]:
        """As many processes of each command run on this home, and each has every value of its class; their pids."""
        found = {pid: word for pid in find_processes(home or self.home) if (word := _find_command(pid)) in PROCESSES}
        assert {word: list(found.values()).count(word) for word in found.values()} == words
        for pid, word in found.items():
            environ = _read_environment(pid)
            has, wanted = (
                load_settings(PROCESSES[word], environ),
                load_settings(PROCESSES[word], {**self.given, "HOME": "/"}),
            )
            for name in self.given:
                setting = name.removeprefix("SANDBOX_").lower()
                if setting in has and setting != "home":
                    assert has[setting] == wanted[setting], f"{word} has another {name}"
        return sorted(found)


def _find_command(pid: int) -> str:
    """What stands behind `-m sandbox`."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    return words[words.index("sandbox") + 1] if "sandbox" in words else ""


def _read_environment(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


@contextmanager
def create_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="settings-") as folder:  # short, for the path of a socket
        yield Path(folder)


@contextmanager
def run_service(home: Path, given: dict[str, str]) -> Iterator[StartedProcesses]:
    port = str(find_free_port())
    started = StartedProcesses(home, f"http://127.0.0.1:{port}", {**given, "SANDBOX_PORT": port})
    done = started.run("up", "--detach")
    try:
        assert done.returncode == 0, done.stderr
        yield started
    finally:
        down = started.run("down")
    assert down.returncode == 0, down.stderr
    assert remove_boxes(home) == 0, "`sandbox down` left boxes"


def assert_judges(url: str, key: str = "") -> None:
    with Client(url, api_key=key) as client:
        assert client.verify(EXPECTED).verdict == "accepted"
        assert client.verify({**EXPECTED, "code": "print(6 * 8)"}).verdict == "wrong_answer"


@pytest.mark.slow
def test_up_with_all_that_goes_together(images: dict[str, str], docker_client: docker.DockerClient) -> None:
    assert images
    key, admin = generate_key("trainer", Role.SUBMIT), generate_key("prometheus", Role.ADMIN)
    with ExitStack() as opened:
        home, receiver = opened.enter_context(create_home()), opened.enter_context(run_receiver())
        made = {
            "SANDBOX_API_KEYS": f"{key.entry},{admin.entry}",
            "SANDBOX_METRICS_PORT": str(find_free_port()),
            "SANDBOX_OTLP_ENDPOINT": receiver.url,
        }
        with run_service(home, {**build_values(list_up_settings()), **made}) as started:
            assert_judges(started.url, key.key)
            worker = _run_command_line(started, key.key)
            started.assert_running({"up": 1, "serve": 2, "worker-slot": 1, "session-host": 1, "deliver": 1})
            assert worker == "42\n"
            _assert_boxes(home, docker_client)
            _assert_redis(home)
            _assert_api(started.url, key.key)
            metrics = f"http://{VALUES['METRICS_HOST']}:{made['SANDBOX_METRICS_PORT']}/metrics"
            assert "sandbox_ready" in httpx.get(metrics).text
            _assert_webhook(started.url, key.key, receiver)
            assert '"level":"info"' not in (home / "log" / "api.log").read_text()
        assert any(request.path == "/v1/traces" for request in receiver.requests)


def _run_command_line(started: StartedProcesses, key: str) -> str:
    """With the client's own two settings."""
    program = started.home / "program.py"
    program.write_text("print(6 * 7)\n")
    ran = started.run("run", str(program), SANDBOX_API_KEY=key, SANDBOX_URL=started.url, SANDBOX_PORT="9")
    assert ran.returncode == 0, ran.stderr
    refused = started.run("run", str(program), SANDBOX_API_KEY="sbx_none_x", SANDBOX_URL=started.url)
    assert refused.returncode != 0
    return ran.stdout


def _assert_boxes(home: Path, docker_client: docker.DockerClient) -> None:
    boxes = docker_client.containers.list(ignore_removed=True, filters={"label": f"{HOME_LABEL}={home}"})
    assert boxes
    host_config = boxes[0].attrs["HostConfig"]
    assert host_config["NanoCpus"] == float(VALUES["BOX_CPUS"]) * 1e9
    assert host_config["PidsLimit"] == int(VALUES["BOX_PROCESSES"])
    assert f"size={VALUES['BOX_TMPFS_MB']}m" in host_config["Tmpfs"]["/box"]
    assert host_config["Runtime"] == VALUES["DOCKER_RUNTIME"]
    assert host_config["CpusetCpus"]  # SANDBOX_PIN


def _assert_redis(home: Path) -> None:
    redis = Redis(unix_socket_path=str(home / "redis.sock"))
    assert int(redis.config_get("maxmemory")["maxmemory"]) == int(VALUES["REDIS_MAX_MB"]) << 20
    redis.close()


def _assert_api(url: str, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    hosts = {VALUES["ALLOWED_HOSTS"]: 200, "another.example": 421}
    for host, status in hosts.items():
        assert httpx.get(f"{url}/languages", headers={**headers, "Host": host}).status_code == status
    assert httpx.get(f"{url}/languages").status_code == 401
    body = {"scripts": ["6 * 7"], "languages": ["python"], "timeout": 10, "request_timeout": 10}
    (answer,) = httpx.post(f"{url}/execute_batch", headers=headers, json=body, timeout=TIMEOUT_S).json()
    assert answer["execution"]["results"][0]["text"] == "42"  # SANDBOX_ROOT_DIALECT


def _assert_webhook(url: str, key: str, receiver: Receiver) -> None:
    with Client(url, api_key=key) as client:
        client.submit("verify", EXPECTED, callback_url=f"{receiver.url}/hook")
    wait_until(lambda: any(request.path == "/hook" for request in receiver.requests), "the webhook arrives", TIMEOUT_S)


@pytest.mark.slow
def test_up_on_the_local_engine_without_keys(images: dict[str, str]) -> None:
    """`images` only says that this machine is one for such tests."""
    assert images
    with (
        create_home() as home,
        run_service(home, {**build_values(LOCAL_ENGINE_SETTINGS), "SANDBOX_SLOTS": "1"}) as started,
    ):
        assert_judges(started.url)
        ready = httpx.get(f"{started.url}/health/ready").json()
        assert (ready["engine"], ready["workers"]) == ("local", 1)
        started.assert_running({"up": 1, "serve": 1, "worker-slot": 3})


@pytest.mark.slow
def test_processes_of_several_hosts_on_one_redis(images: dict[str, str]) -> None:
    """The API, a worker, the webhooks and GPU workers, each as its own host has it."""
    assert images
    with ExitStack() as opened:
        home = opened.enter_context(create_home())
        (home / "redis").mkdir()
        server = RedisServer(home / "redis")
        opened.callback(server.close)
        server.start()
        port = str(find_free_port())
        given = {**build_values(SEVERAL_HOSTS_SETTINGS), "SANDBOX_REDIS_URL": server.build_url(), "SANDBOX_PORT": port}
        given |= {"SANDBOX_WORKER_METRICS_PORT": str(find_free_port()), "SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET}
        started = StartedProcesses(home, f"http://127.0.0.1:{port}", given)
        opened.callback(started.stop)
        started.start("api", "serve")
        started.start("deliver", "deliver")
        started.start("worker", "worker", SANDBOX_SLOTS="1", SANDBOX_EXPRESS="0")
        started.until(lambda: _is_answering(f"{started.url}/health/ready"), "the service is ready")
        assert_judges(started.url)
        started.assert_running({"serve": 1}, home / "api")
        started.assert_running({"deliver": 1}, home / "deliver")
        started.assert_running({"worker": 1, "worker-slot": 1, "host-metrics": 1}, home / "worker")
        assert _is_answering(f"http://127.0.0.1:{given['SANDBOX_WORKER_METRICS_PORT']}/metrics")
        _assert_gpu_workers(started)


def _assert_gpu_workers(hosts: StartedProcesses) -> None:
    """First one with servers of its own, then one that asks another's."""
    script = hosts.home / "script.json"
    script.write_text(json.dumps({"default": ["```python\nprint(42)\n```"]}))
    pool = hosts.home / "models"
    made = {
        "SANDBOX_REDIS_URL": hosts.given["SANDBOX_REDIS_URL"],
        "SANDBOX_URL": hosts.url,
        "SANDBOX_GPU_FOLDER": str(pool),
        "SANDBOX_LLM_OPTIONS": f"--script {script}",
    }
    workers = StartedProcesses(hosts.home, hosts.url, {**build_values(list_gpu_settings()), **made})
    with Client(hosts.url) as client, ExitStack() as opened:
        opened.callback(workers.stop)
        workers.start("gpu", "gpu-worker")
        workers.until(lambda: len(client.gpus().leases) == VALUES["GPUS"].count(",") + 1, "all GPUs are lent")
        workers.assert_running({"gpu-worker": 1, "gpu-worker-share": 2}, hosts.home / "gpu")
        verification = {"tests": [EXPECTED["tests"]]}
        job = client.wait(client.start("generate", {"model": "m", "prompts": ["6 * 7?"], "verify": verification}).id)
        assert isinstance(job, GpuJob)
        assert (job.status, job.result and job.result["pass_rate"]) == (JobStatus.FINISHED, 1.0), job.error
        servers = [
            _read_command_line(pid)
            for pid in find_processes(hosts.home / "gpu")
            if VALUES["LLM_MODULE"] in _read_command_line(pid)
        ]
        assert len(servers) == int(VALUES["LLM_DATA_PARALLEL"])
        for words in servers:
            assert f"{VALUES['GPU_PYTHON']} -m" in words
            assert f"--tensor-parallel-size {VALUES['LLM_TENSOR_PARALLEL']}" in words
        assert list((pool / "jobs").iterdir())
    others = StartedProcesses(hosts.home, hosts.url, {**build_values(EXTERNAL_MODEL_SERVER_SETTINGS), **made})
    with ExitStack() as opened:
        opened.callback(others.stop)
        others.start("llm", "gpu-worker", SANDBOX_GPUS="0")
        with Client(hosts.url) as client:
            others.until(lambda: client.gpus().leases, "its GPU is lent")
        others.assert_running({"gpu-worker": 1, "gpu-worker-share": 1}, hosts.home / "llm")


def _read_command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().replace("\0", " ")


def _is_answering(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
