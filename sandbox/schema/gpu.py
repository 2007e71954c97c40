"""GPU jobs over REST: generate, train and evaluate. Plain data: nothing here needs a GPU or its packages."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sandbox.schema.checkers import Checker, TokensChecker
from sandbox.schema.programs import MAX_NAME_CHARS, Job, JobStatus
from sandbox.schema.reward import PolicyChoice, Tests
from sandbox.schema.reward_policy import Extraction, Policy
from sandbox.schema.tests import AnyTest
from sandbox.schema.wire import LimitsRequest, WireModel

MAX_PROMPTS = 10_000
MAX_PROMPT_CHARS = 1 << 20
MAX_ROWS = 100_000

Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS)]
# A name of the model hub, a path below SANDBOX_GPU_FOLDER, `job:<id>`: what that training job made, or what a service
# calls its models: `qwen2.5:7b`, `ft:gpt-4o-mini:us::id`, `@cf/meta/llama-3`. Which paths it may stand for is judged
# where one is made of it (`sandbox.gpu.job_dir.place_of`). It is an argument of commands, so it begins with no dash.
ModelName = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[A-Za-z0-9_./@][A-Za-z0-9_./:@-]*$")]
DatasetPath = Annotated[str, Field(min_length=1, max_length=512)]
Settings = dict[str, Any]


class GpuKind(StrEnum):
    GENERATE = "generate"
    SFT = "train_sft"
    GRPO = "train_grpo"
    EVALUATE = "evaluate"


class Message(WireModel):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=MAX_PROMPT_CHARS)


class Sampling(WireModel):
    """How completions are drawn."""

    n: int = Field(1, ge=1, le=1_024, description="completions of each prompt")
    temperature: float = Field(1.0, ge=0, le=10)
    top_p: float = Field(1.0, gt=0, le=1)
    max_tokens: int = Field(1_024, ge=1, le=131_072)
    stop: list[str] = Field(default_factory=list, max_length=16)
    seed: int | None = Field(None, description="for engines that draw the same completions again from it")


class GpuRequest(WireModel):
    """What every GPU job says."""

    model: ModelName
    gpus: int = Field(1, ge=1, le=64, description="GPUs of one worker that the job needs")


class Verification(WireModel):
    """What completions are judged on while more of them are generated: tests, or a vote over inputs."""

    tests: list[Tests] | None = Field(None, description="one list for each prompt, or one for all of them")
    vote: list[list[str]] | None = Field(None, description="the same for inputs that the completions vote on")
    policy: PolicyChoice = Policy()
    extract: Extraction = Extraction()
    language: str = "python"
    checker: Checker = TokensChecker(type="tokens")
    limits: LimitsRequest = LimitsRequest()

    @model_validator(mode="after")
    def _check_one_source(self) -> Verification:
        if (self.tests is None) == (self.vote is None):
            raise ValueError("give tests or vote, and not both")
        return self


class GenerateRequest(GpuRequest):
    """Completions of prompts, or of chats, and their verdicts where `verify` says how to judge them."""

    prompts: list[Prompt] | None = Field(None, min_length=1, max_length=MAX_PROMPTS)
    messages: list[list[Message]] | None = Field(None, min_length=1, max_length=MAX_PROMPTS)
    sampling: Sampling = Sampling()
    verify: Verification | None = None

    @model_validator(mode="after")
    def _check_combination(self) -> GenerateRequest:
        if (self.prompts is None) == (self.messages is None):
            raise ValueError("give prompts or messages, and not both")
        number = len(self.prompts or self.messages or [])
        for name in ("tests", "vote"):
            entries = None if self.verify is None else getattr(self.verify, name)
            if entries is not None and len(entries) not in (1, number):
                raise ValueError(f"verify.{name} has {len(entries)} entries for {number} prompts")
        return self


class RlTask(WireModel):
    """A prompt, and the tests that reward its completions."""

    prompt: str | list[Message]
    tests: Tests
    name: str = Field("", max_length=MAX_NAME_CHARS)


class SftRow(WireModel):
    """A chat whose last message is what is learnt."""

    messages: list[Message] = Field(min_length=2)

    @model_validator(mode="after")
    def _check_last_message(self) -> SftRow:
        if self.messages[-1].role != "assistant":
            raise ValueError("the last message must be the assistant's: it is what is learnt")
        return self


class Probe(WireModel):
    """Tasks whose pass rate is measured while a model is trained, and the rate at which that is enough."""

    tasks: list[RlTask] = Field(min_length=1, max_length=1_000)
    every_steps: int = Field(50, ge=1)
    max_tokens: int = Field(256, ge=1)
    stop_at: float | None = Field(None, gt=0, le=1)


class TrainRequest(GpuRequest):
    """What both ways of training have in common."""

    dataset: DatasetPath | None = Field(None, description="JSON lines below SANDBOX_GPU_FOLDER, instead of rows")
    steps: int = Field(100, ge=1, le=10_000_000)
    save_steps: int = Field(50, ge=1, description="steps between checkpoints, from which a lost job goes on")
    seed: int = 0
    processes: int = Field(1, ge=1, le=64, description="accelerate's processes, one for each GPU that trains")
    settings: Settings = Field(
        default_factory=dict,
        description="fields of TRL's own config, such as deepspeed, fsdp or bf16, or overrides of verl's; they win",
    )
    launch: Settings = Field(default_factory=dict, description="options of `accelerate launch`, such as config_file")


class SftRequest(TrainRequest):
    """Supervised fine-tuning. Defaults are X-Coder's (arXiv 2601.06953): 5e-5, cosine; it trained for 8 `epochs`."""

    epochs: float | None = Field(None, gt=0, le=1_000, description="passes over the rows, instead of steps")
    rows: list[SftRow] | None = Field(None, min_length=1, max_length=MAX_ROWS)
    learning_rate: float = Field(5e-5, gt=0)
    batch: int = Field(16, ge=1, description="rows a step and process")
    max_tokens: int = Field(2_048, ge=1, description="of a row; what is longer is cut")
    probe: Probe | None = None

    @model_validator(mode="after")
    def _check_source(self) -> SftRequest:
        if (self.rows is None) == (self.dataset is None):
            raise ValueError("give rows or dataset, and not both")
        return self

    @model_validator(mode="after")
    def _check_probe(self) -> SftRequest:
        if self.probe is not None and self.settings.get("fsdp"):
            raise ValueError(
                "probe does not go with settings.fsdp: one process draws for it, and has a part of the model"
            )
        return self


class GrpoRequest(TrainRequest):
    """Reinforcement learning with this service as the reward.

    Defaults are X-Coder's: 8 completions a prompt, T = 1.0, clip-high 0.28, no KL, learning rate 4e-7.
    """

    tasks: list[RlTask] | None = Field(None, min_length=1, max_length=MAX_ROWS)
    held_out: list[RlTask] = Field(default_factory=list, max_length=10_000, description="pass rate before and after")
    backend: Literal["trl", "verl"] = "trl"
    rollouts: Literal["plain", "colocate", "server"] = Field(
        "plain", description="plain: transformers; colocate: vLLM on the GPUs that train; server: vLLM on others"
    )
    generation_url: str = Field(
        "", description="with rollouts server: vLLM's server, which runs already and takes weights"
    )
    learning_rate: float = Field(4e-7, gt=0)
    num_generations: int = Field(8, ge=2, le=1_024)
    prompts_per_step: int = Field(8, ge=1)
    temperature: float = Field(1.0, gt=0)
    epsilon_high: float = Field(0.28, gt=0)
    beta: float = Field(0.0, ge=0, description="weight of the KL term")
    max_tokens: int = Field(1_024, ge=1, description="of a completion")
    policy: PolicyChoice = Policy(name="fraction")
    checker: Checker = TokensChecker(type="tokens")
    language: str = "python"
    limits: LimitsRequest = LimitsRequest()
    vllm: Settings = Field(default_factory=dict, description="with rollouts colocate: more arguments of vLLM's LLM")
    early_verdicts: bool = Field(
        True, description="where vLLM draws: judge a completion while the rest of its batch is drawn"
    )

    @model_validator(mode="after")
    def _check_source(self) -> GrpoRequest:
        if (self.tasks is None) == (self.dataset is None):
            raise ValueError("give tasks or dataset, and not both")
        return self


class EvalProblem(WireModel):
    """One problem of an evaluation, whatever set it is from.

    `before` and `after` are added around a completion's code, for example HumanEval's prompt. `imports` comes before
    all of that, but after `from __future__` imports. Results are grouped by `difficulty` and `released`.
    """

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    prompt: str | list[Message]
    tests: list[AnyTest] = Field(min_length=1)
    entry_point: str = ""
    imports: str = Field("", description="source that the data set's own grader puts before a program")
    before: str = ""
    after: str = ""
    difficulty: str = ""
    released: date | None = None
    checker: Checker = TokensChecker(type="tokens")


class EvaluateRequest(GpuRequest):
    """pass@k and avg@n of a model. `rows` are the data set's own, in the shape that `shape` names."""

    problems: list[EvalProblem] | None = Field(None, min_length=1, max_length=MAX_PROMPTS)
    rows: list[dict[str, Any]] | None = Field(None, min_length=1, max_length=MAX_PROMPTS)
    dataset: DatasetPath | None = Field(None, description="JSON lines of such rows, below SANDBOX_GPU_FOLDER")
    shape: Literal["humaneval", "mbpp", "livecodebench"] | None = None
    k: list[Annotated[int, Field(ge=1)]] = Field(default_factory=lambda: [1], min_length=1)
    sampling: Sampling = Sampling(temperature=0.2)
    cutoff: date | None = Field(None, description="score before and from this date, and the drop between them")
    limits: LimitsRequest = LimitsRequest()

    @model_validator(mode="after")
    def _check_combination(self) -> EvaluateRequest:
        if sum(source is not None for source in (self.problems, self.rows, self.dataset)) != 1:
            raise ValueError("give problems, rows or dataset, and one of them only")
        if (self.problems is None) != (self.shape is not None):
            raise ValueError("shape goes with rows or dataset: it says how to read them")
        if max(self.k) > self.sampling.n:
            raise ValueError(f"pass@{max(self.k)} needs sampling.n of at least {max(self.k)}")
        return self


class Progress(WireModel):
    """How far a GPU job is; what does not apply is null."""

    step: int = 0
    total: int | None = None
    loss: float | None = None
    reward: float | None = None
    pass_rate: float | None = None
    tokens_per_s: float | None = None
    eta_s: float | None = None
    message: str = ""


class GpuJob(Job):
    """A GPU job: a job with its kind, its progress, and why it failed where it did."""

    kind: GpuKind
    progress: Progress = Progress()
    error: str = ""
    attempts: int = Field(0, description="workers that have begun it; more than one: the first were lost")
    worker: str = ""
    note: str = Field("", description="why a queued job does not start, if known")


class GpuLease(WireModel):
    """Who holds a GPU, and until when unless the lease is renewed."""

    gpu: str = Field(description="host/index")
    worker: str
    job: str = Field("", description="empty: held for the next job")
    until: float = Field(description="seconds since 1970")


class GpuPool(WireModel):
    """What `GET /gpus` answers: the leases that hold now, and the latest jobs, newest first."""

    leases: list[GpuLease]
    jobs: list[GpuJob]


REQUEST_MODELS: dict[GpuKind, type[GpuRequest]] = {
    GpuKind.GENERATE: GenerateRequest,
    GpuKind.SFT: SftRequest,
    GpuKind.GRPO: GrpoRequest,
    GpuKind.EVALUATE: EvaluateRequest,
}
ENDED_STATUSES = frozenset({JobStatus.FINISHED, JobStatus.CANCELLED, JobStatus.FAILED})
