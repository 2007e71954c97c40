"""Settings: one small frozen class per process. Only this module reads the environment.

Every setting is named `SANDBOX_<NAME>`. `sandbox up` passes its settings to its child processes in their environment.
"""

from __future__ import annotations

import json
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
CpuPinning = Literal["auto", "none", "boxes", "slots"]
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
    "e2b",
    "openenv",
    "nemo_gym",
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
            raise ValueError(f"must be `whsec_` followed by base64: {error}") from None
        if not 24 <= len(key) <= 64:
            raise ValueError("must have 24 to 64 random bytes; create one with: echo whsec_$(openssl rand -base64 32)")
    return text


def _check_networks(text: str) -> str:
    for part in text.replace(",", " ").split():
        ip_network(part)
    return text


def is_loopback(host: str) -> bool:
    """Return True if an address or name always means this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SANDBOX_", frozen=True, extra="ignore")


class QueueSettings(_Settings):
    """Settings of every process that uses the queue."""

    redis_url: str = Field(
        "",
        repr=False,
        description="Redis URL, or redis+cluster://host:port,... for a cluster; empty: the embedded Redis that"
        " `sandbox up` starts",
    )
    home: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        default_factory=_find_default_home, description="directory for state: Redis data, sockets, pid files, logs"
    )
    result_ttl_s: int = Field(3_600, ge=1, description="how long /jobs returns a result")
    task_set_ttl_s: int = Field(
        604_800, ge=1, description="how long a task set is stored after it was last put or used"
    )
    queue_ttl_s: int = Field(86_400, ge=1, description="how long an accepted submission may wait for a worker")
    lease_s: float = Field(
        4.0, gt=0, description="time without a heartbeat after which a worker counts as dead and its jobs run elsewhere"
    )
    max_queued: int = Field(
        100_000, ge=1, description="submissions that a lane may hold; beyond that the service answers 503"
    )
    max_queued_mb: int = Field(
        2_048, ge=1, description="MiB of submissions that one API process may hold; beyond that it answers 503"
    )
    max_kept_mb: int = Field(
        0,
        ge=0,
        description="MiB that Redis may store of jobs' requests and results and of task sets; beyond that the service"
        " answers 503. 0: half of Redis's memory limit, or no limit if Redis has none",
    )
    redis_max_mb: int = Field(
        0,
        ge=0,
        description="memory limit of the embedded Redis (its maxmemory) in MiB; 0: a quarter of this machine's memory",
    )

    log_level: LogLevel = Field("info", description="lowest level of log lines to write")
    otlp_endpoint: str = Field(
        "", description="OTLP/HTTP collector for traces, such as http://127.0.0.1:4318; empty: no traces"
    )
    trace_ratio: float = Field(1.0, ge=0, le=1, description="share of requests to trace, unless the client decides")

    @property
    def redis_socket(self) -> Path:
        return self.home / "redis.sock"

    @property
    def effective_redis_url(self) -> str:
        return self.redis_url or f"unix://{self.redis_socket}"


class WebhookSettings(QueueSettings):
    """Settings of `sandbox deliver`, which `sandbox up` starts if there is a secret. The API also uses two of them."""

    webhook_secret: Annotated[str, AfterValidator(_check_webhook_secrets)] = Field(
        "",
        repr=False,
        description="secret that signs webhooks, `whsec_` followed by base64; during a rotation several, separated by"
        " blanks; empty: no callbacks",
    )
    webhook_networks: Annotated[str, AfterValidator(_check_networks)] = Field(
        "", description="private networks that webhooks may call, such as 10.0.0.0/8,127.0.0.1"
    )
    webhook_tries: int = Field(10, ge=1, description="tries to deliver a webhook before giving up")
    webhook_timeout_s: float = Field(10.0, gt=0, le=300, description="total time limit of one try")
    webhook_first_delay_s: float = Field(
        1.0, gt=0, description="delay after the first failed try; it doubles each time, and up to half is randomly cut"
    )
    webhook_max_delay_s: float = Field(600.0, gt=0, description="longest delay between two tries")
    webhook_dead_ttl_s: int = Field(604_800, ge=1, description="how long an undeliverable webhook is stored")


class ApiSettings(WebhookSettings):
    """Settings of `sandbox serve`."""

    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8080, ge=0, le=65_535, description="port the API listens on")
    api_processes: int = Field(
        0,
        ge=0,
        le=64,
        description="API processes that `sandbox up` starts, each good for about 860 requests of one program"
        " per second; 0: one per three slots, but two for two slots, so that one answers while the other reads a large"
        " body",
    )
    max_body_mb: int = Field(256, ge=1, description="MiB that a request body may have; a larger one gets 413")
    root_dialect: RootDialect = Field(
        "", description="dialect whose paths are also served at the root, in addition to /dialects/<name>"
    )
    api_keys: str = Field(
        "", repr=False, description="accepted API keys, as entries from `sandbox keys new`; empty: no key is needed"
    )
    key_rate: float = Field(0.0, ge=0, description="programs per second that one API key may submit; 0: no limit")
    key_burst: int = Field(
        0, ge=0, description="programs that one API key may submit at once; 0: as many as in one second"
    )
    key_max_queued: int = Field(
        50_000, ge=0, description="programs of one API key that may wait for their results; 0: no limit"
    )
    key_max_kept_mb: int = Field(
        1_024,
        ge=0,
        description="MiB of jobs' requests and results and of task sets that one API key may store; 0: no limit",
    )
    key_max_sessions: int = Field(1_000, ge=0, description="sessions that one API key may have open; 0: no limit")
    public_without_keys: bool = Field(
        False, description="listen beyond loopback without API keys: anyone who can connect can run programs"
    )
    allowed_hosts: str = Field(
        "",
        description="host names that a request's Host header may contain besides localhost and loopback addresses, such"
        " as sandbox.internal,proxy; `*`: any name. Empty: any name, but no name if the service listens on loopback"
        " without API keys, so that no web page can reach it through a DNS name of its own",
    )
    header_timeout_s: float = Field(20.0, gt=0, description="time limit for receiving a request's headers")
    body_timeout_s: float = Field(30.0, gt=0, description="time limit for receiving a body; each MiB adds a second")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="port that serves the host's metrics without an API key, for a network that only Prometheus can"
        " reach; 0: none",
    )
    metrics_host: str = Field("127.0.0.1", description="address of the metrics port")
    request_timeout_s: float = Field(900.0, gt=0, description="how long a synchronous request waits for its result")


class HostSettings(QueueSettings):
    """Settings of a host that has workers but no API."""

    worker_metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="port on which `sandbox worker`, `gpu-worker` and `deliver` serve their host's metrics; 0: none",
    )
    worker_metrics_host: str = Field("127.0.0.1", description="address of the worker metrics port")


class DeliverSettings(WebhookSettings, HostSettings):
    """Settings of `sandbox deliver`, which may serve metrics on a port of its own."""


class WorkerSettings(HostSettings):
    """Settings of `sandbox worker`."""

    engine: EngineName = Field(
        "docker", description="docker; or local: no containers and weaker isolation, so it must be chosen explicitly"
    )
    slots: int = Field(0, ge=0, description="programs that run at the same time; 0: one per core")
    isolation: Isolation = Field(
        "box", description="box: reuses warm boxes; fresh: a new container for each program, started in advance"
    )
    fresh_ready: int = Field(2, ge=0, description="containers per image that a slot keeps ready if isolation is fresh")
    spare_boxes: int = Field(
        1, ge=0, description="spare boxes per image that a slot keeps ready, so that replacing a box causes no delay"
    )
    express: bool = Field(
        True,
        description="start two reserved workers besides the slots, one for `rl` and one for `rl` and `default`: they"
        " take items that wait behind long programs of other lanes",
    )
    spread_tests: bool = Field(
        True, description="let idle slots run tests of a program that has been running on another slot for a while"
    )
    pin: CpuPinning = Field(
        "auto",
        description="what to pin to dedicated CPUs: none; the boxes of each slot; or slots, boxes and worker together."
        " auto: slots, if they fill a host of 8 CPUs or more whose CPUs are not limited by a quota",
    )
    docker_runtime: str = Field("", description="container runtime, such as runsc; empty: the engine's default")
    box_cpus: float = Field(1.0, gt=0, description="CPUs that one box may use")
    box_processes: int = Field(
        576, ge=16, description="processes and threads in one box, including those of the service"
    )
    box_tmpfs_mb: int = Field(512, ge=16, description="MiB of files that one box may hold in memory")
    box_max_runs: int = Field(20_000, ge=1, description="runs after which a box is replaced")
    box_max_age_s: float = Field(3_600.0, gt=0, description="age after which a box is replaced")
    environment_cache_mb: int = Field(
        20_000,
        ge=0,
        description="MB of images of environments that a host keeps; beyond that it removes those unused the longest",
    )
    environment_max_mb: int = Field(4_000, ge=1, description="MB that an environment may add to its base image")
    environment_build_s: float = Field(600.0, gt=0, le=3_600, description="time limit for building an environment")
    environment_build_memory_mb: int = Field(2_048, ge=64, description="MiB of memory that such a build may use")
    environment_network: str = Field(
        "sandbox-builds",
        description="Docker network in which environments are built; created as a bridge network if it does not exist",
    )
    environment_variables: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="JSON object of variables that builds of environments see, such as"
        ' {"UV_DEFAULT_INDEX": "...", "https_proxy": "..."}. Packages can read them',
    )


class GpuSettings(HostSettings):
    """Settings of `sandbox gpu-worker`."""

    url: str = Field("http://127.0.0.1:8080", description="URL of the service that judges programs for GPU jobs")
    gpus: str = Field(
        "0",
        description="GPUs that this host offers, such as 0,1; list one twice to share it, for models that leave room;"
        " empty: none, jobs run on the CPU",
    )
    gpu_workers: int = Field(1, ge=1, description="workers that share the GPUs evenly; each runs one job at a time")
    gpu_servers: int = Field(
        0,
        ge=0,
        description="how many of the workers only serve models, so that the others only train; 0: all do both",
    )
    gpu_python: str = Field(
        "", description="Python interpreter with torch, TRL and vLLM, for training and inference; empty: this one"
    )
    gpu_folder: str = Field(
        "", description="directory for models, data sets and jobs; empty: gpu below the home directory"
    )
    gpu_lease_s: float = Field(
        15.0, gt=0, description="time without a heartbeat after which a GPU worker counts as dead and loses its job"
    )
    gpu_attempts: int = Field(3, ge=1, description="workers that a job may lose before it fails")
    gpu_spare: bool = Field(
        True,
        description="keep a process ready that has imported vLLM while no server runs, and one that has imported TRL;"
        " the next server and the next training in one process start in them; each takes 1 to 1.5 GB of the host's"
        " memory",
    )
    llm_url: str = Field(
        "", description="OpenAI-compatible service for generation, such as http://host:8000/v1; empty: start a server"
    )
    llm_key: str = Field("", description="API key of that service")
    llm_module: str = Field(
        "vllm.entrypoints.openai.api_server", description="module that serves a model; it must accept vLLM's options"
    )
    llm_options: str = Field("", description="extra options for it, such as `--dtype bfloat16 --max-model-len 4096`")
    llm_tensor_parallel: int = Field(1, ge=1, description="GPUs over which one server spreads a model")
    llm_data_parallel: int = Field(1, ge=1, description="servers of the same model, which share the requests")
    llm_start_patience_s: float = Field(900.0, gt=0, description="how long a server may take to start")
    llm_sleep: bool = Field(
        True,
        description="keep the server in a GPU's memory, without weights, while a training uses that GPU, so that it"
        " is ready in seconds afterwards; false: stop it",
    )
    llm_requests: int = Field(512, ge=1, description="concurrent requests per server")
    ray_address: str = Field("", description="Ray cluster that verl trains on, such as auto; empty: a local one")

    @property
    def gpu_indices(self) -> list[int]:
        return [int(part) for part in self.gpus.split(",") if part.strip()]

    @property
    def effective_gpu_folder(self) -> Path:
        return Path(self.gpu_folder).absolute() if self.gpu_folder else self.home / "gpu"


class SessionSettings(WorkerSettings):
    """Settings of `sandbox session-host`, which `sandbox up` starts if `sessions` is not 0."""

    sessions: int = Field(
        0,
        ge=0,
        le=10_000,
        description="sessions that this host may hold at one time; 0: none",
    )
    session_spares: int = Field(
        2,
        ge=0,
        le=1_000,
        description="session boxes that a host keeps ready, about 20 MB each, so that opening is fast",
    )
    session_memory_mb: int = Field(
        0,
        ge=0,
        description="MiB for all sessions of a host; each counts as a quarter of its memory limit. 0: half of this"
        " machine's memory",
    )
    session_box_uses: int = Field(200, ge=1, description="sessions after which a session box is replaced")


class UpSettings(ApiSettings, SessionSettings):
    """Settings of `sandbox up`, which starts everything in one supervised process tree."""


class ClientSettings(_Settings):
    """Settings of a client, and of the reward functions that use one."""

    url: str = Field("http://127.0.0.1:8080", description="URL of the service")
    api_key: str = Field("", repr=False, description="API key that the client sends; empty: none")
    run: str = Field("", description="training run, shown on the page, to which trainers' rewards belong; empty: none")


def build_environment(settings: QueueSettings) -> dict[str, str]:
    """Return this process's environment plus the settings, for starting child processes."""
    values = {
        f"SANDBOX_{name.upper()}": json.dumps(value) if isinstance(value, dict) else str(value)
        for name, value in settings.model_dump(mode="json").items()
    }
    return {**os.environ, **values}
