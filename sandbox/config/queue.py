"""Settings of every process that uses the queue, and of hosts that have no API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

LogLevel = Literal["debug", "info", "warning", "error"]


def _find_default_home() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/sandbox")
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "sandbox"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SANDBOX_", frozen=True, extra="ignore")


class QueueSettings(Settings):
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


class HostSettings(QueueSettings):
    """Settings of a host that has workers but no API."""

    worker_metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="port on which `sandbox worker`, `gpu-worker` and `deliver` serve their host's metrics; 0: none",
    )
    worker_metrics_host: str = Field("127.0.0.1", description="address of the worker metrics port")
