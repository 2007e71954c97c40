"""Settings, one small frozen class per process; the only reader of the environment.

Every setting is `SANDBOX_<NAME>`; `sandbox up` hands its own to the processes it starts through their environment.
"""

from __future__ import annotations

import os
from base64 import b64decode
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

EngineName = Literal["docker", "local"]
LogLevel = Literal["debug", "info", "warning", "error"]
Isolation = Literal["box", "fresh"]
CpuPinning = Literal["none", "boxes", "slots"]
RootDialect = Literal[
    "",
    "sandbox_fusion",
    "code_judge",
    "piston",
    "judge0",
    "openrlhf",
    "slime",
    "open_instruct",
    "open_r1",
    "areal",
]


def _find_default_home() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/sandbox")
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "sandbox"


def _check_webhook_secrets(text: str) -> str:
    for secret in text.split():
        try:
            key = b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError as error:
            raise ValueError(f"is `whsec_` and base64: {error}") from None
        if not 24 <= len(key) <= 64:
            raise ValueError("has 24 to 64 random bytes; make one with: echo whsec_$(openssl rand -base64 32)")
    return text


def _check_networks(text: str) -> str:
    for part in text.replace(",", " ").split():
        ip_network(part)
    return text


def is_loopback(host: str) -> bool:
    """Tell whether an address or a name is this machine's own, as seen by itself alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SANDBOX_", frozen=True, extra="ignore")


class QueueSettings(_Settings):
    """What every process that touches the queue needs to know."""

    redis_url: str = Field(
        "", repr=False, description="the Redis to use; empty: the embedded one that `sandbox up` owns"
    )
    home: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        default_factory=_find_default_home, description="where state lives: Redis data, sockets, pid files, logs"
    )
    result_ttl_s: int = Field(3_600, ge=1, description="how long a result can be fetched from /jobs")
    task_set_ttl_s: int = Field(604_800, ge=1, description="how long a task set is kept after it was last put or used")
    queue_ttl_s: int = Field(86_400, ge=1, description="how long an accepted submission may wait for a worker")
    lease_s: float = Field(
        4.0, gt=0, description="silence after which a worker is taken for dead and its jobs run elsewhere"
    )
    max_queued: int = Field(100_000, ge=1, description="submissions a lane may hold before it answers 503")
    max_queued_mb: int = Field(
        2_048, ge=1, description="MiB of submissions one API process may hold before it answers 503"
    )
    max_kept_mb: int = Field(
        0,
        ge=0,
        description="MiB of jobs' requests and results and of task sets that Redis may store; beyond that the service"
        " answers 503. 0: half of what Redis may use, or no limit if Redis has none",
    )
    redis_max_mb: int = Field(
        0,
        ge=0,
        description="MiB that the embedded Redis may use (its maxmemory); 0: a quarter of this machine's memory",
    )

    log_level: LogLevel = Field("info", description="least level of the lines that are logged")
    otlp_endpoint: str = Field(
        "", description="OTLP/HTTP collector for traces, such as http://127.0.0.1:4318; empty: none are made"
    )
    trace_ratio: float = Field(
        1.0, ge=0, le=1, description="part of the requests traced, where the client does not say"
    )

    @property
    def redis_socket(self) -> Path:
        return self.home / "redis.sock"

    @property
    def effective_redis_url(self) -> str:
        return self.redis_url or f"unix://{self.redis_socket}"


class WebhookSettings(QueueSettings):
    """`sandbox deliver`, which `sandbox up` starts where there is a secret; the API reads the first two as well."""

    webhook_secret: Annotated[str, AfterValidator(_check_webhook_secrets)] = Field(
        "",
        repr=False,
        description="what webhooks are signed with, `whsec_` and base64; several, separated by blanks, while one"
        " replaces another; empty: no callbacks",
    )
    webhook_networks: Annotated[str, AfterValidator(_check_networks)] = Field(
        "", description="networks that may be called although they are not public, such as 10.0.0.0/8,127.0.0.1"
    )
    webhook_tries: int = Field(10, ge=1, description="requests made to deliver a webhook before it is given up")
    webhook_timeout_s: float = Field(10.0, gt=0, le=300, description="how long one such request may take in all")
    webhook_first_delay_s: float = Field(
        1.0, gt=0, description="pause after the first failed one, which doubles with each; up to half of it is left out"
    )
    webhook_max_delay_s: float = Field(600.0, gt=0, description="the longest pause")
    webhook_dead_ttl_s: int = Field(604_800, ge=1, description="how long a webhook that was given up is remembered")


class ApiSettings(WebhookSettings):
    """`sandbox serve`."""

    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8080, ge=0, le=65_535, description="port the API listens on")
    api_processes: int = Field(
        0,
        ge=0,
        le=64,
        description="processes `sandbox up` serves the API with, each some 1,900 requests a second;"
        " 0: one for three slots, and two for two, so that one answers while the other reads a large body",
    )
    max_body_mb: int = Field(256, ge=1, description="MiB of a request body before 413")
    root_dialect: RootDialect = Field(
        "", description="the peer whose paths are served at the root too, as well as below /dialects/<name>"
    )
    api_keys: str = Field(
        "", repr=False, description="keys that are let in, as `sandbox keys new` makes entries; empty: no key is needed"
    )
    key_rate: float = Field(0.0, ge=0, description="programs a second one API key may ask for; 0: any number")
    key_burst: int = Field(0, ge=0, description="programs one API key may ask for at once; 0: a second's worth")
    key_max_queued: int = Field(
        50_000, ge=0, description="programs one API key may have waiting for their results; 0: any number"
    )
    key_max_kept_mb: int = Field(
        1_024,
        ge=0,
        description="MiB of jobs' requests and results and of task sets stored for one API key; 0: no limit",
    )
    public_without_keys: bool = Field(
        False, description="listen beyond loopback although there are no API keys: whoever can connect can run programs"
    )
    allowed_hosts: str = Field(
        "",
        description="names that a request's Host header may have besides localhost and loopback addresses, such as"
        " sandbox.internal,proxy; `*`: any name. Empty: any name, except if the service listens on loopback without"
        " API keys: then no other name, so that no web page can reach it under one of its own names",
    )
    header_timeout_s: float = Field(20.0, gt=0, description="how long a request's headers may take to arrive")
    body_timeout_s: float = Field(
        30.0, gt=0, description="how long a body may take to arrive, to which each MiB of it adds a second"
    )
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="port on which the API serves its host's metrics without an API key, for a network that only"
        " Prometheus can reach; 0: none",
    )
    metrics_host: str = Field("127.0.0.1", description="address of that port")
    request_timeout_s: float = Field(900.0, gt=0, description="how long a synchronous request may wait for its result")


class HostSettings(QueueSettings):
    """Of a host that has workers and no API."""

    worker_metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="port on which `sandbox worker` and `sandbox gpu-worker` show their host's metrics; 0: none",
    )
    worker_metrics_host: str = Field("127.0.0.1", description="address of that port")


class WorkerSettings(HostSettings):
    """`sandbox worker`."""

    engine: EngineName = Field(
        "docker", description="docker, or local: no containers, fewer walls, chosen by name only"
    )
    slots: int = Field(0, ge=0, description="programs run at one time; 0: one per core")
    isolation: Isolation = Field(
        "box", description="box: warm boxes, used again; fresh: a new container for each program, started beforehand"
    )
    fresh_ready: int = Field(2, ge=0, description="containers a slot has ready of each image it uses, when fresh")
    spare_boxes: int = Field(
        1, ge=0, description="boxes a slot keeps ready of each image it uses, so that replacing one holds nothing up"
    )
    express: bool = Field(
        True,
        description="beside the slots, one idle worker for `rl` and one for `rl` and `default`: they take what waits"
        " behind long programs of other lanes",
    )
    pin: CpuPinning = Field(
        "none",
        description="what stays on CPUs of its own: none; the boxes of each slot; or slots, boxes and worker together."
        " Only where nothing else needs the CPUs",
    )
    docker_runtime: str = Field("", description="the container runtime, such as runsc; empty: the engine's default")
    box_cpus: float = Field(1.0, gt=0, description="CPUs one box may use")
    box_processes: int = Field(576, ge=16, description="processes and threads one box may hold, ours included")
    box_tmpfs_mb: int = Field(512, ge=16, description="MiB of files one box may hold in memory")
    box_max_runs: int = Field(20_000, ge=1, description="runs after which a box is replaced")
    box_max_age_s: float = Field(3_600.0, gt=0, description="age after which a box is replaced")


class GpuSettings(HostSettings):
    """`sandbox gpu-worker`."""

    url: str = Field("http://127.0.0.1:8080", description="the service that gives GPU jobs their verdicts")
    gpus: str = Field(
        "0",
        description="GPUs this host lends, such as 0,1; one listed twice is lent twice, for models that leave room;"
        " empty: none, jobs run on CPU",
    )
    gpu_workers: int = Field(1, ge=1, description="workers that share the GPUs evenly, each with a job at a time")
    gpu_servers: int = Field(
        0,
        ge=0,
        description="how many of them serve models and nothing else, so that the rest only train; 0: all do both",
    )
    gpu_python: str = Field(
        "", description="the interpreter that has torch, TRL and vLLM, for training and the engine; empty: this one"
    )
    gpu_folder: str = Field("", description="models, data sets and jobs' folders; empty: gpu below the home folder")
    gpu_lease_s: float = Field(
        15.0, gt=0, description="silence after which a GPU worker is taken for dead and its job goes to another"
    )
    gpu_attempts: int = Field(3, ge=1, description="workers a job may lose before it has failed")
    llm_url: str = Field(
        "", description="an OpenAI-compatible service to generate with, such as http://host:8000/v1; empty: our own"
    )
    llm_key: str = Field("", description="the key that service asks for")
    llm_module: str = Field(
        "vllm.entrypoints.openai.api_server", description="the module that serves a model, with vLLM's options"
    )
    llm_options: str = Field("", description="more options of it, such as `--dtype bfloat16 --max-model-len 4096`")
    llm_tensor_parallel: int = Field(1, ge=1, description="GPUs that one server spreads a model over")
    llm_data_parallel: int = Field(1, ge=1, description="servers of the same model that share the requests")
    llm_start_patience_s: float = Field(900.0, gt=0, description="how long a server may take until it answers")
    llm_requests: int = Field(512, ge=1, description="requests that one server is given at a time")
    ray_address: str = Field("", description="the Ray cluster that verl trains on, such as auto; empty: a local one")

    @property
    def gpu_indices(self) -> list[int]:
        return [int(part) for part in self.gpus.split(",") if part.strip()]

    @property
    def effective_gpu_folder(self) -> Path:
        return Path(self.gpu_folder).absolute() if self.gpu_folder else self.home / "gpu"


class UpSettings(ApiSettings, WorkerSettings):
    """`sandbox up`: all of it in one supervised process tree."""


class ClientSettings(_Settings):
    """What a client needs to be let in."""

    api_key: str = Field("", repr=False, description="the key that this client sends; empty: none")


def build_environment(settings: QueueSettings) -> dict[str, str]:
    """This process's environment with the settings in it: what its children are started with."""
    values = {f"SANDBOX_{name.upper()}": str(value) for name, value in settings.model_dump(mode="json").items()}
    return {**os.environ, **values}
