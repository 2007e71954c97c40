"""Settings, one small frozen class per process; the only reader of the environment.

Every setting is `SANDBOX_<NAME>`; `sandbox up` hands its own to the processes it starts through their environment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Engine = Literal["docker", "local"]
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


def _default_home() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/sandbox")
    return Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local/state")) / "sandbox"


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SANDBOX_", frozen=True, extra="ignore")


class QueueSettings(_Settings):
    """What every process that touches the queue needs to know."""

    redis_url: str = Field("", description="the Redis to use; empty: the embedded one that `sandbox up` owns")
    home: Annotated[Path, AfterValidator(Path.absolute)] = Field(
        default_factory=_default_home, description="where state lives: Redis data, sockets, pid files, logs"
    )
    result_ttl_s: int = Field(3_600, ge=1, description="how long a result can be fetched from /jobs")
    task_set_ttl_s: int = Field(604_800, ge=1, description="how long a task set is kept after it was last put or used")
    queue_ttl_s: int = Field(86_400, ge=1, description="how long an accepted submission may wait for a worker")
    lease_s: float = Field(
        4.0, gt=0, description="silence after which a worker is taken for dead and its jobs run elsewhere"
    )
    max_queued: int = Field(100_000, ge=1, description="submissions a lane may hold before it answers 503")

    @property
    def redis_socket(self) -> Path:
        return self.home / "redis.sock"

    @property
    def effective_redis_url(self) -> str:
        return self.redis_url or f"unix://{self.redis_socket}"


class ApiSettings(QueueSettings):
    """`sandbox serve`."""

    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8080, ge=0, le=65_535, description="port the API listens on")
    max_body_mb: int = Field(256, ge=1, description="MiB of a request body before 413")
    root_dialect: RootDialect = Field(
        "", description="the peer whose paths are served at the root too, as well as below /dialects/<name>"
    )
    request_timeout_s: float = Field(900.0, gt=0, description="how long a synchronous request may wait for its result")


class WorkerSettings(QueueSettings):
    """`sandbox worker`."""

    engine: Engine = Field("docker", description="docker, or local: no containers, fewer walls, chosen by name only")
    slots: int = Field(0, ge=0, description="programs run at one time; 0: one per core")
    docker_runtime: str = Field("", description="the container runtime, such as runsc; empty: the engine's default")
    box_cpus: float = Field(1.0, gt=0, description="CPUs one box may use")
    box_processes: int = Field(576, ge=16, description="processes and threads one box may hold, ours included")
    box_tmpfs_mb: int = Field(512, ge=16, description="MiB of files one box may hold in memory")
    box_max_runs: int = Field(20_000, ge=1, description="runs after which a box is replaced")
    box_max_age_s: float = Field(3_600.0, gt=0, description="age after which a box is replaced")


class UpSettings(ApiSettings, WorkerSettings):
    """`sandbox up`: all of it in one supervised process tree."""


def environment_of(settings: QueueSettings) -> dict[str, str]:
    """This process's environment with the settings in it: what its children are started with."""
    values = {f"SANDBOX_{name.upper()}": str(value) for name, value in settings.model_dump(mode="json").items()}
    return {**os.environ, **values}
