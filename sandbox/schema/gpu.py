"""Requests for GPU jobs: generate, train and evaluate. These are plain models: they need no GPU and no GPU packages."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sandbox.schema.checkers import Checker, TokensChecker
from sandbox.schema.gpu_jobs import ENDED_STATUSES as ENDED_STATUSES
from sandbox.schema.gpu_jobs import GpuJob as GpuJob
from sandbox.schema.gpu_jobs import GpuKind as GpuKind
from sandbox.schema.gpu_jobs import GpuLease as GpuLease
from sandbox.schema.gpu_jobs import GpuPool as GpuPool
from sandbox.schema.gpu_jobs import Progress as Progress
from sandbox.schema.programs import MAX_NAME_CHARS
from sandbox.schema.reward import PolicyChoice, RewardedTests, Tests
from sandbox.schema.reward_policy import Extraction, Policy
from sandbox.schema.tests import AnyTest
from sandbox.schema.wire import STOP_AFTER_TIMEOUTS, EnvironmentReference, LimitsRequest, WireModel

MAX_PROMPTS = 10_000
MAX_PROMPT_CHARS = 1 << 20
MAX_ROWS = 100_000

Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS)]
# A name on the model hub, a path below SANDBOX_GPU_FOLDER, `job:<id>` for the model that a training job made, or the
# name of a model at an external service: `qwen2.5:7b`, `ft:gpt-4o-mini:us::id`, `@cf/meta/llama-3`.
# `sandbox.gpu.job_dir.resolve_model` decides which paths are allowed. Commands take the name as an argument, so it
# cannot begin with a dash.
ModelName = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_./@][A-Za-z0-9_./:@-]*$")]
DatasetPath = Annotated[str, Field(min_length=1, max_length=512)]
Settings = dict[str, Any]


class Message(WireModel):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=MAX_PROMPT_CHARS)


class Sampling(WireModel):
    """Options for sampling completions."""

    n: int = Field(1, ge=1, le=1_024, description="completions per prompt")
    temperature: float = Field(1.0, ge=0, le=10)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int = Field(1_024, ge=1, le=131_072)
    stop: list[str] = Field(default_factory=list, max_length=16)
    seed: int | None = Field(None, description="makes sampling repeatable if the inference engine supports it")


class GpuRequest(WireModel):
    """Fields that every GPU job has."""

    model: ModelName
    gpus: int = Field(1, ge=1, le=64, description="GPUs that the job needs, all on one worker")


class Verification(WireModel):
    """How to judge completions while others are still being generated: by tests, or by a vote over inputs."""

    tests: list[Tests] | None = Field(None, description="one list per prompt, or one for all prompts")
    vote: list[list[str]] | None = Field(None, description="inputs to vote on: one list per prompt, or one for all")
    policy: PolicyChoice = Policy()
    extract: Extraction = Extraction()
    language: str = "python"
    checker: Checker = TokensChecker(type="tokens")
    limits: LimitsRequest = LimitsRequest()
    environment: EnvironmentReference = ""

    @model_validator(mode="after")
    def _check_one_source(self) -> Verification:
        if (self.tests is None) == (self.vote is None):
            raise ValueError("give either tests or vote, not both")
        return self


class GenerateRequest(GpuRequest):
    """Generate completions of prompts or chats, and judge them if `verify` is given."""

    prompts: list[Prompt] | None = Field(None, min_length=1, max_length=MAX_PROMPTS)
    messages: list[list[Message]] | None = Field(None, min_length=1, max_length=MAX_PROMPTS)
    sampling: Sampling = Sampling()
    verify: Verification | None = None

    @model_validator(mode="after")
    def _check_combination(self) -> GenerateRequest:
        if (self.prompts is None) == (self.messages is None):
            raise ValueError("give either prompts or messages, not both")
        number = len(self.prompts or self.messages or [])
        for name in ("tests", "vote"):
            entries = None if self.verify is None else getattr(self.verify, name)
            if entries is not None and len(entries) not in (1, number):
                raise ValueError(
                    f"verify.{name} has {len(entries)} entries for {number} prompts; give one, or one per prompt"
                )
        return self


class RlTask(WireModel):
    """A prompt and the tests that reward its completions."""

    prompt: str | list[Message]
    tests: RewardedTests
    name: str = Field("", max_length=MAX_NAME_CHARS)


class SftRow(WireModel):
    """A chat whose last message is the training target."""

    messages: list[Message] = Field(min_length=2)

    @model_validator(mode="after")
    def _check_last_message(self) -> SftRow:
        if self.messages[-1].role != "assistant":
            raise ValueError("the last message must be the assistant's: it is the training target")
        return self


class Probe(WireModel):
    """Tasks whose pass rate is measured during training, and the pass rate at which training stops early."""

    tasks: list[RlTask] = Field(min_length=1, max_length=1_000)
    every_steps: int = Field(50, ge=1)
    max_tokens: int = Field(256, ge=1)
    environment: EnvironmentReference = ""
    stop_at: float | None = Field(None, gt=0, le=1)


class TrainRequest(GpuRequest):
    """Fields that both kinds of training have."""

    dataset: DatasetPath | None = Field(None, description="JSON lines below SANDBOX_GPU_FOLDER, instead of rows")
    steps: int = Field(100, ge=1, le=10_000_000)
    save_steps: int = Field(50, ge=1, description="steps between checkpoints; a lost job resumes from the last one")
    seed: int = 0
    processes: int = Field(1, ge=1, le=64, description="processes of accelerate, one for each GPU that trains")
    settings: Settings = Field(
        default_factory=dict,
        description="fields of TRL's config, such as deepspeed, fsdp or bf16, or overrides for verl; they win",
    )
    launch: Settings = Field(default_factory=dict, description="options of `accelerate launch`, such as config_file")


class SftRequest(TrainRequest):
    """Supervised fine-tuning.

    Defaults follow X-Coder (arXiv 2601.06953): learning rate 5e-5 with a cosine schedule. X-Coder trained for 8
    `epochs`.
    """

    epochs: float | None = Field(None, gt=0, le=1_000, description="passes over the rows, instead of steps")
    rows: list[SftRow] | None = Field(None, min_length=1, max_length=MAX_ROWS)
    learning_rate: float = Field(5e-5, gt=0)
    batch: int = Field(16, ge=1, description="rows per step and process")
    max_tokens: int = Field(2_048, ge=1, description="tokens per row; longer rows are truncated")
    probe: Probe | None = None

    @model_validator(mode="after")
    def _check_source(self) -> SftRequest:
        if (self.rows is None) == (self.dataset is None):
            raise ValueError("give either rows or dataset, not both")
        return self

    @model_validator(mode="after")
    def _check_probe(self) -> SftRequest:
        if self.probe is not None and self.settings.get("fsdp"):
            raise ValueError(
                "probe cannot be used with settings.fsdp: one process samples for it, and holds only part of the model"
            )
        return self


class GrpoRequest(TrainRequest):
    """Reinforcement learning with this service as the reward.

    Defaults follow X-Coder: 8 completions per prompt, T = 1.0, clip-high 0.28, no KL, learning rate 4e-7.
    """

    tasks: list[RlTask] | None = Field(None, min_length=1, max_length=MAX_ROWS)
    held_out: list[RlTask] = Field(
        default_factory=list,
        max_length=10_000,
        description="tasks to measure the pass rate on, before and after training",
    )
    backend: Literal["trl", "verl"] = "trl"
    rollouts: Literal["plain", "engine", "colocate", "server"] = Field(
        "plain",
        description="plain: transformers; engine: the worker's warm vLLM server, on the training GPU; colocate: a new"
        " vLLM engine in the training process; server: a vLLM server on other GPUs",
    )
    generation_url: str = Field(
        "", description="with rollouts server: the URL of a running vLLM server that accepts weight updates"
    )
    learning_rate: float = Field(4e-7, gt=0)
    num_generations: int = Field(8, ge=2, le=1_024)
    prompts_per_step: int = Field(8, ge=1)
    temperature: float = Field(1.0, gt=0)
    epsilon_high: float = Field(0.28, gt=0)
    beta: float = Field(0.0, ge=0, description="weight of the KL term")
    max_tokens: int = Field(1_024, ge=1, description="tokens per completion")
    policy: PolicyChoice = Policy(name="fraction")
    checker: Checker = TokensChecker(type="tokens")
    language: str = "python"
    limits: LimitsRequest = LimitsRequest()
    environment: EnvironmentReference = ""
    stop_after_timeouts: int | None = Field(None, ge=1, description=f"{STOP_AFTER_TIMEOUTS}; they count as not passed")
    vllm: Settings = Field(default_factory=dict, description="with rollouts colocate: extra arguments for vLLM's LLM")
    early_verdicts: bool = Field(
        True, description="with vLLM: judge each completion while the rest of its batch is still being generated"
    )

    @model_validator(mode="after")
    def _check_source(self) -> GrpoRequest:
        if (self.tasks is None) == (self.dataset is None):
            raise ValueError("give either tasks or dataset, not both")
        return self

    @model_validator(mode="after")
    def _check_engine_rollouts(self) -> GrpoRequest:
        if self.rollouts == "engine" and (self.backend != "trl" or self.processes > 1 or self.launch):
            raise ValueError("rollouts engine works with the backend trl in one process; use colocate or server")
        return self


class EvalProblem(WireModel):
    """One problem of an evaluation, from any data set.

    `before` and `after` surround a completion's code, for example with HumanEval's prompt. `imports` comes before
    all of that, but after `from __future__` imports. Results are grouped by `difficulty` and `released`.
    """

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    prompt: str | list[Message]
    tests: list[AnyTest] = Field(min_length=1)
    entry_point: str = ""
    imports: str = Field("", description="source that the data set's grader puts before a program")
    before: str = ""
    after: str = ""
    difficulty: str = ""
    released: date | None = None
    checker: Checker = TokensChecker(type="tokens")
    reference: str = Field(
        "",
        description="a correct program; if the request has no `limits`, completions get ten times its CPU time per"
        " test, and at least 1 s",
    )


class EvaluateRequest(GpuRequest):
    """Compute pass@k and avg@n of a model. `rows` are rows of a data set in the format that `shape` names."""

    problems: list[EvalProblem] | None = Field(None, min_length=1, max_length=MAX_PROMPTS)
    rows: list[dict[str, Any]] | None = Field(None, min_length=1, max_length=MAX_PROMPTS)
    dataset: DatasetPath | None = Field(None, description="JSON lines of such rows, below SANDBOX_GPU_FOLDER")
    shape: Literal["humaneval", "mbpp", "livecodebench"] | None = None
    k: list[Annotated[int, Field(ge=1)]] = Field(default_factory=lambda: [1], min_length=1)
    sampling: Sampling = Sampling(temperature=0.2)
    cutoff: date | None = Field(None, description="score before and from this date, and the drop between them")
    limits: LimitsRequest = LimitsRequest()
    environment: EnvironmentReference = ""

    @model_validator(mode="after")
    def _check_combination(self) -> EvaluateRequest:
        if sum(source is not None for source in (self.problems, self.rows, self.dataset)) != 1:
            raise ValueError("give exactly one of problems, rows and dataset")
        if (self.problems is None) != (self.shape is not None):
            raise ValueError("give shape with rows or dataset, and only then: it names their format")
        if max(self.k) > self.sampling.n:
            raise ValueError(f"pass@{max(self.k)} needs sampling.n of at least {max(self.k)}")
        return self


REQUEST_MODELS: dict[GpuKind, type[GpuRequest]] = {
    GpuKind.GENERATE: GenerateRequest,
    GpuKind.SFT: SftRequest,
    GpuKind.GRPO: GrpoRequest,
    GpuKind.EVALUATE: EvaluateRequest,
}
