"""Engines that generate: a remote OpenAI-compatible service, or local servers, one per share of the GPUs.

Theory of operation. `serve` returns the base URLs that serve a model. Local servers are child processes. They stay warm
between jobs, are replaced when a job needs another model, and are restarted if they end or stop answering; the caller
resends any requests that were lost. `release_gpus` stops them, because training needs their GPUs.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

import sandbox
from sandbox.config import GpuSettings
from sandbox.errors import BadRequest, InfrastructureError
from sandbox.gpu.subprocesses import Process, SubprocessStarter, read_tail, stop_process

logger = logging.getLogger(__name__)

HEALTH_POLL_INTERVAL_S = 0.5
HEALTH_TIMEOUT_S = 5.0
METRICS_TIMEOUT_S = 2.0
HOST = "127.0.0.1"
START_ATTEMPTS = 2
SITE_PACKAGES_NAMES = {"site-packages", "dist-packages"}
# How vLLM, transformers and the hub report that a model does not exist. Restarting the server would not help.
MODEL_NOT_FOUND = re.compile(
    r"Invalid repository ID or local directory specified|is not a valid model identifier|RepositoryNotFoundError"
    r"|config\.json.{0,60}(?:not found|does not exist)|Could not detect config format"
)
# An unreachable hub causes the same errors, unless the process runs offline.
HUB_UNREACHABLE = re.compile(
    r"ConnectionError|ConnectError|Timeout|Max retries exceeded|50[0234] Server Error|429 Client"
)


class EngineUnavailable(InfrastructureError):
    """Nothing serves the model: a local server did not start, or a remote one does not answer."""


class Engine(Protocol):
    """Serves models. Thread-safe."""

    def serve(self, model: str) -> list[str]:
        """Return base URLs that serve `model`. Raises EngineUnavailable, and BadRequest for an unknown model."""

    def release_gpus(self) -> None:
        """Free the GPUs."""

    def list_server_urls(self) -> list[str]:
        """Return the URLs of the running servers, which have /metrics. Does not wait for one that is starting."""


class RemoteEngine:
    """A model server that someone else operates."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def serve(self, model: str) -> list[str]:
        return [self._url]

    def release_gpus(self) -> None:
        """Do nothing: the GPUs belong to the remote server."""

    def list_server_urls(self) -> list[str]:
        return [self._url.removesuffix("/v1")]


@dataclass
class _Server:
    """A child process that serves a model."""

    model: str
    gpus: Sequence[int]
    port: int
    process: Process
    log: Path
    log_offset: int
    offline: bool

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def read_output(self) -> str:
        """Return the output of this process. The log also holds that of earlier processes."""
        try:
            with self.log.open("rb") as file:
                file.seek(self.log_offset)
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def is_healthy(self) -> bool:
        if self.process.poll() is not None:
            return False
        try:
            return httpx.get(f"{self.url}/health", timeout=HEALTH_TIMEOUT_S, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


class LocalEngine:
    """Supervised child processes that run vLLM's server, or another module with the same options."""

    def __init__(
        self, settings: GpuSettings, gpus: Sequence[int], subprocesses: SubprocessStarter, directory: Path
    ) -> None:
        self._settings = settings
        self._gpus = list(gpus)
        self._subprocesses = subprocesses
        self._directory = directory
        self._model = ""
        self._servers: list[_Server] = []
        self._lock = threading.Lock()
        self.start_count = 0

    def serve(self, model: str) -> list[str]:
        with self._lock:
            if model != self._model:
                self._stop_servers()
                self._model = model
                self._servers = [self._start_server(share) for share in self._split_gpus()]
            for place, server in enumerate(self._servers):
                self._servers[place] = self._ensure_ready(server)
            return [f"{server.url}/v1" for server in self._servers]

    def release_gpus(self) -> None:
        with self._lock:
            self._stop_servers()

    def list_server_urls(self) -> list[str]:
        return [server.url for server in list(self._servers)]

    def _stop_servers(self) -> None:
        for server in self._servers:
            stop_process(server.process)
        self._servers, self._model = [], ""

    def _split_gpus(self) -> list[list[int]]:
        """Return the GPUs of each server. A host without GPUs runs one CPU server per data-parallel share."""
        size = self._settings.llm_tensor_parallel
        servers = self._settings.llm_data_parallel
        if not self._gpus:
            return [[] for _ in range(servers)]
        if size * servers > len(self._gpus):
            raise EngineUnavailable(f"cannot fit {servers} servers with {size} GPUs each on GPUs {self._gpus}")
        return [self._gpus[place * size : (place + 1) * size] for place in range(servers)]

    def _start_server(self, gpus: Sequence[int]) -> _Server:
        port = find_free_port()
        command = [
            self._settings.gpu_python or sys.executable,
            *("-m", self._settings.llm_module, "--model", self._model, "--served-model-name", self._model),
            *("--host", HOST, "--port", str(port)),
            *(("--tensor-parallel-size", str(len(gpus))) if len(gpus) > 1 else ()),
            *shlex.split(self._settings.llm_options),
        ]
        log = self._directory / f"engine-{'-'.join(map(str, gpus)) or 'cpu'}.log"
        log_start = log.stat().st_size if log.exists() else 0
        environment = build_environment(gpus)
        process = self._subprocesses.start(command, environment, log, self._directory)
        self.start_count += 1
        logger.info("model server starting", extra={"model": self._model, "gpus": list(gpus), "pid": process.pid})
        return _Server(self._model, gpus, port, process, log, log_start, is_offline(environment))

    def _ensure_ready(self, server: _Server) -> _Server:
        """Return a server that answers. A server that has ended, or does not answer in time, is replaced first."""
        for _ in range(START_ATTEMPTS):
            if self._wait_until_healthy(server):
                return server
            stop_process(server.process)
            last = server
            if (words := find_missing_model_error(last.read_output(), last.offline)) is not None:
                self._stop_servers()
                raise BadRequest(f"model: the engine cannot find {last.model!r}: {words}", "model")
            server = self._start_server(server.gpus)
        stop_process(server.process)
        self._servers, self._model = [], ""
        raise EngineUnavailable(f"the model server does not start; the end of {last.log}:\n{read_tail(last.log)}")

    def _wait_until_healthy(self, server: _Server) -> bool:
        deadline = time.monotonic() + self._settings.llm_start_patience_s
        while time.monotonic() < deadline and server.process.poll() is None:
            if server.is_healthy():
                return True
            time.sleep(HEALTH_POLL_INTERVAL_S)
        return False


def find_missing_model_error(printed: str, offline: bool) -> str | None:
    """Return the line of a server's output that reports a missing model, or None if there is no such line."""
    found = MODEL_NOT_FOUND.search(printed)
    if found is None or (HUB_UNREACHABLE.search(printed) and not offline):
        return None
    start = printed.rfind("\n", 0, found.start()) + 1
    return printed[start:].partition("\n")[0].strip()


def is_offline(environment: Mapping[str, str]) -> bool:
    """Return whether this environment keeps a process from contacting the model hub."""
    return environment.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def build_environment(gpus: Sequence[int]) -> dict[str, str]:
    """Return the environment of a child that may use only these GPUs, and that can import this package."""
    environment = dict(os.environ)
    source = Path(sandbox.__file__).resolve().parent.parent
    if source.name not in SITE_PACKAGES_NAMES:  # a checkout, which the child's interpreter may not have installed
        rest = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(source), rest)))
    return {**environment, "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))}


def make_engine(settings: GpuSettings, gpus: Sequence[int], subprocesses: SubprocessStarter, directory: Path) -> Engine:
    if settings.llm_url:
        return RemoteEngine(settings.llm_url)
    return LocalEngine(settings, gpus, subprocesses, directory)


def fetch_metrics(engine: Engine) -> list[str]:
    """Return the /metrics response of each running server, leaving out servers that do not answer."""
    texts = []
    for url in engine.list_server_urls():
        try:
            answer = httpx.get(f"{url}/metrics", timeout=METRICS_TIMEOUT_S, trust_env=False)
        except httpx.HTTPError:
            continue
        if answer.status_code == 200:
            texts.append(answer.text)
    return texts


def find_free_port() -> int:
    """Return a port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
