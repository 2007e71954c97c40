"""The state of GPU jobs and of the GPUs that run them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from sandbox.schema.programs import Job, JobStatus
from sandbox.schema.wire import WireModel

ENDED_STATUSES = frozenset({JobStatus.FINISHED, JobStatus.CANCELLED, JobStatus.FAILED})


class GpuKind(StrEnum):
    GENERATE = "generate"
    SFT = "train_sft"
    GRPO = "train_grpo"
    EVALUATE = "evaluate"


class Progress(WireModel):
    """The progress of a GPU job; fields that do not apply are null."""

    step: int = 0
    total: int | None = None
    loss: float | None = None
    reward: float | None = None
    pass_rate: float | None = None
    tokens_per_s: float | None = None
    eta_s: float | None = None
    message: str = ""


class GpuJob(Job):
    """A GPU job: a job with its kind, its progress, and the error if it failed."""

    kind: GpuKind
    progress: Progress = Progress()
    error: str = ""
    attempts: int = Field(0, description="workers that have started it; more than 1 if workers were lost")
    worker: str = ""
    note: str = Field("", description="why a queued job does not start, if known")


class GpuLease(WireModel):
    """A GPU that a worker holds until the lease ends, unless it renews the lease."""

    gpu: str = Field(description="host/index")
    worker: str
    job: str = Field("", description="empty: the worker holds the GPU for its next job")
    until: float = Field(description="seconds since 1970")


class GpuPool(WireModel):
    """The answer of `GET /gpus`: the current leases, and the latest jobs, newest first."""

    leases: list[GpuLease]
    jobs: list[GpuJob]
