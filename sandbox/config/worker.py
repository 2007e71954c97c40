"""Settings of workers and of session hosts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox.config.queue import HostSettings

EngineName = Literal["docker", "local"]
Isolation = Literal["box", "fresh"]
CpuPinning = Literal["auto", "none", "boxes", "slots"]


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
