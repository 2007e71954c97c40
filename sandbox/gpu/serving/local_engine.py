"""Local servers of models, one per share of the GPUs.

Theory of operation. The servers are child processes. They stay warm between jobs. For another model of the same
architecture they load its weights, for any other model they are replaced. They are restarted if they end or stop
answering; the caller resends any requests that were lost. Before a training, `release_gpus` puts them to sleep, or
stops them if they cannot sleep. `lend` gives a server to a training that generates with it and writes its own weights
into it.
"""

from __future__ import annotations

import logging
import shlex
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from sandbox.config import GpuSettings
from sandbox.errors import BadRequest
from sandbox.gpu.child_environment import HOST, build_environment, find_free_port, is_offline
from sandbox.gpu.serving.checkpoints import are_interchangeable, find_checkpoint
from sandbox.gpu.serving.engine import Engine, EngineUnavailable, RemoteEngine, StageCallback
from sandbox.gpu.serving.model_server import (
    SERVED_NAME,
    ModelServer,
    find_missing_model_error,
    find_start_stage,
    read_start_parts,
)
from sandbox.gpu.serving.server_starter import VLLM_IMPORTS, ServerStarter
from sandbox.gpu.subprocesses import SubprocessStarter, read_tail, stop_process

logger = logging.getLogger(__name__)

HEALTH_POLL_INTERVAL_S = 0.5
REPORT_INTERVAL_S = 5.0
START_ATTEMPTS = 2
VLLM_PACKAGE = "vllm"
# GRPO corrects for the engine's rounding, and needs the probabilities that the engine sampled from.
VLLM_OPTIONS = ("--logprobs-mode", "processed_logprobs")
SLEEP_OPTION = "--enable-sleep-mode"
# What a server gets unless the worker's own environment says otherwise. Without the endpoints of the development mode,
# weights cannot be loaded. FlashInfer's sampler is compiled at a host's first start, which took 85 s on an H100.
SERVER_ENVIRONMENT = {"VLLM_SERVER_DEV_MODE": "1", "VLLM_USE_FLASHINFER_SAMPLER": "0"}


class LocalEngine:
    """Supervised child processes that run vLLM's server, or another module with the same options."""

    def __init__(
        self, settings: GpuSettings, gpus: Sequence[int], subprocesses: SubprocessStarter, directory: Path
    ) -> None:
        self._settings = settings
        self._gpus = list(gpus)
        self._directory = directory
        self._is_vllm = settings.llm_module.partition(".")[0] == VLLM_PACKAGE
        self._starter = ServerStarter(
            settings.gpu_python or sys.executable,
            settings.llm_module,
            VLLM_IMPORTS if self._is_vllm else (),
            subprocesses,
            directory,
            settings.gpu_spare,
        )
        self._model = ""
        self._servers: list[ModelServer] = []
        self._phases: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self.start_count = 0

    def serve(self, model: str, on_stage: StageCallback | None = None) -> list[str]:
        with self._lock:
            if not (all(server.holds(model) for server in self._servers) or self._load_weights(model, on_stage)):
                self._stop_servers()
            self._model = model
            if not self._servers:
                self._servers = [self._start_server(share) for share in self._split_gpus()]
            for place, server in enumerate(self._servers):
                self._servers[place] = self._ensure_ready(server, on_stage)
            return [f"{server.url}/v1" for server in self._servers]

    def prepare(self) -> None:
        with self._lock, suppress(EngineUnavailable):  # the next job reports it
            gpus = self._split_gpus()[0]
            self._starter.prepare(_build_server_environment(gpus), self._get_log(gpus))

    def get_served_name(self, model: str) -> str:
        return SERVED_NAME

    def lend(self, model: str, on_stage: StageCallback | None = None) -> str:
        if self._settings.llm_data_parallel > 1:
            raise BadRequest("rollouts: `engine` needs one server, but SANDBOX_LLM_DATA_PARALLEL is set", "rollouts")
        (url,) = self.serve(model, on_stage)
        with self._lock:
            for server in self._servers:
                server.loaded = ""  # from now on unknown
        return url.removesuffix("/v1")

    def release_gpus(self) -> None:
        with self._lock:
            # A server whose start was cancelled still takes memory, and cannot sleep yet.
            if self._settings.llm_sleep and self._gpus and all(server.is_ready for server in self._servers):
                began = time.monotonic()
                try:
                    for server in self._servers:
                        if not server.is_asleep:
                            server.sleep()
                except httpx.HTTPError as error:
                    logger.info("the model server cannot sleep and is stopped: %s", error)
                else:
                    self._add_phase("sleep", began, {})
                    return
            self._stop_servers()

    def stop(self) -> None:
        with self._lock:
            self._stop_servers()
            self._starter.stop()

    def list_server_urls(self) -> list[str]:
        return [server.url for server in list(self._servers)]

    def take_phases(self) -> list[dict[str, Any]]:
        phases, self._phases = self._phases, []
        return phases

    def _add_phase(self, name: str, began: float, parts: Mapping[str, float]) -> None:
        if self._servers:
            self._phases.append({"phase": name, "took_s": round(time.monotonic() - began, 3), **parts})

    def _load_weights(self, model: str, on_stage: StageCallback | None) -> bool:
        """Load the model's weights into the running servers. Return False if they must be replaced."""
        directory = find_checkpoint(model)
        if directory is None or not all(server.is_ready and server.process.poll() is None for server in self._servers):
            return False
        began = time.monotonic()
        parts: dict[str, float] = {}
        for server in self._servers:
            started_with = find_checkpoint(server.model)
            if started_with is None or not are_interchangeable(started_with, directory):
                return False
            if on_stage is not None:
                on_stage("the warm engine loads the weights")
            try:
                parts = server.load_weights(model, directory)
            except httpx.HTTPError as error:
                logger.warning("the model server cannot load other weights and is restarted: %s", error)
                return False
        self._add_phase("load", began, parts)
        logger.info("model server loaded weights", extra={"model": model, **parts})
        return True

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

    def _start_server(self, gpus: Sequence[int]) -> ModelServer:
        port = find_free_port()
        arguments = [
            *("--model", self._link_model(gpus), "--served-model-name", SERVED_NAME),
            *("--host", HOST, "--port", str(port)),
            *(("--tensor-parallel-size", str(len(gpus))) if len(gpus) > 1 else ()),
            *(VLLM_OPTIONS if self._is_vllm else ()),
            *((SLEEP_OPTION,) if self._is_vllm and gpus and self._settings.llm_sleep else ()),
            *shlex.split(self._settings.llm_options),
        ]
        log = self._get_log(gpus)
        log_start = log.stat().st_size if log.exists() else 0
        environment = _build_server_environment(gpus)
        process = self._starter.start(arguments, environment, log)
        self.start_count += 1
        logger.info("model server starting", extra={"model": self._model, "gpus": list(gpus), "pid": process.pid})
        return ModelServer(self._model, gpus, port, process, log, log_start, is_offline(environment))

    def _get_log(self, gpus: Sequence[int]) -> Path:
        return self._directory / f"{_name_engine(gpus)}.log"

    def _link_model(self, gpus: Sequence[int]) -> str:
        """Return a path to the model that stays the same, or the name of a model of the hub.

        vLLM's compilation cache depends on the path of the model.
        """
        if not Path(self._model).is_dir():
            return self._model
        link = self._directory / f"{_name_engine(gpus)}-model"
        link.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            link.unlink()
        link.symlink_to(Path(self._model).absolute(), target_is_directory=True)
        return str(link)

    def _ensure_ready(self, server: ModelServer, on_stage: StageCallback | None) -> ModelServer:
        """Return a server that answers. A server that has ended, or does not answer in time, is replaced first."""
        for _ in range(START_ATTEMPTS):
            if self._wait_until_healthy(server, on_stage):
                if not server.is_ready:
                    server.is_ready, server.loaded = True, server.model
                    self._add_phase("start", server.started_at, read_start_parts(server.read_output()))
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

    def _wait_until_healthy(self, server: ModelServer, on_stage: StageCallback | None) -> bool:
        began = reported_at = time.monotonic()
        while time.monotonic() < began + self._settings.llm_start_patience_s and server.process.poll() is None:
            if server.is_healthy():
                return True
            if on_stage is not None and time.monotonic() >= reported_at + REPORT_INTERVAL_S:
                reported_at = time.monotonic()
                stage = find_start_stage(server.read_output())
                on_stage(f"the engine starts: {stage} ({reported_at - server.started_at:.0f} s)")
            time.sleep(HEALTH_POLL_INTERVAL_S)
        return False


def _name_engine(gpus: Sequence[int]) -> str:
    """Return a name for a server's files. It contains the host, because hosts may share a home directory."""
    return "-".join(["engine", socket.gethostname(), *(map(str, gpus) if gpus else ["cpu"])])


def _build_server_environment(gpus: Sequence[int]) -> dict[str, str]:
    return {**SERVER_ENVIRONMENT, **build_environment(gpus)}


def make_engine(settings: GpuSettings, gpus: Sequence[int], subprocesses: SubprocessStarter, directory: Path) -> Engine:
    if settings.llm_url:
        return RemoteEngine(settings.llm_url)
    return LocalEngine(settings, gpus, subprocesses, directory)
