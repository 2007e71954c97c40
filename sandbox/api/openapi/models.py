"""Models that routes handle as raw bytes. FastAPI cannot discover them, so the OpenAPI document must list them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from sandbox import schema
from sandbox.schema.callbacks import DeadWebhook
from sandbox.schema.environments import EnvironmentInfo, EnvironmentList, EnvironmentRequest
from sandbox.schema.gpu import REQUEST_MODELS as GPU_REQUESTS
from sandbox.schema.gpu import GpuJob, GpuPool
from sandbox.schema.hack import HackBatchRequest, HackBatchResult, HackRequest, HackResult, HackSubmission
from sandbox.schema.health import Readiness
from sandbox.schema.live import LiveHistory, LiveView
from sandbox.schema.quality import QualityRequest, QualityResult
from sandbox.schema.quality_progress import QualityLine
from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet, TaskSetInfo
from sandbox.schema.runs import Run, RunList
from sandbox.schema.sessions import REQUEST_MODELS as SESSION_REQUESTS
from sandbox.schema.sessions import RESULT_MODELS as SESSION_RESULTS
from sandbox.schema.vote import VoteRequest, VoteResult

REQUEST_MODELS: tuple[type[BaseModel], ...] = (
    schema.ExecuteRequest,
    schema.ExecuteSubmission,
    schema.VerifyRequest,
    schema.VerifySubmission,
    schema.ExecuteBatchRequest,
    schema.VerifyBatchRequest,
    VoteRequest,
    HackRequest,
    HackSubmission,
    HackBatchRequest,
    QualityRequest,
    RewardRequest,
    TaskSet,
    EnvironmentRequest,
    *GPU_REQUESTS.values(),
    *SESSION_REQUESTS,
)


class Live(BaseModel):
    """The answer of `GET /health/live`."""

    status: str = "ok"


RESPONSE_MODELS: tuple[type[Any], ...] = (
    schema.ExecuteResult,
    schema.VerifyResult,
    schema.ExecuteBatchResult,
    schema.VerifyBatchResult,
    VoteResult,
    HackResult,
    HackBatchResult,
    QualityResult,
    QualityLine,
    RewardResult,
    TaskSetInfo,
    EnvironmentInfo,
    EnvironmentList,
    schema.Job,
    DeadWebhook,
    schema.LanguageInfo,
    schema.Problem,
    Readiness,
    Live,
    LiveHistory,
    LiveView,
    RunList,
    Run,
    GpuJob,
    GpuPool,
    *SESSION_RESULTS,
)
