"""Run reinforcement learning in a separate process: `python -m sandbox.gpu.training.train_grpo FOLDER`.

Theory of operation. TRL's GRPO generates completions, this service judges them, and the rewards train the model. TRL
generates with transformers, with vLLM on the same GPUs (in this process, or in the worker's warm server), or with a
vLLM server on other GPUs. With vLLM, each completion is judged as soon as it is finished (`reward_prefetch`). Held-out
tasks, if any, are evaluated before the first step and after the last; a completion counts as correct if it passes every
test. If the folder holds a checkpoint, training continues from there.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from sandbox.client import Client
from sandbox.errors import BadRequest, InfrastructureError, Refused
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.messages import to_messages
from sandbox.gpu.training.pretrained import load_pretrained, save_model
from sandbox.gpu.training.reporting import ProgressReporter, RewardRecorder, Slots, summarize_timing
from sandbox.gpu.training.request_errors import report_request_errors
from sandbox.gpu.training.reward_options import build_reward_options
from sandbox.gpu.training.reward_prefetch import RewardPrefetch, RewardProcess, wrap_with_prefetch
from sandbox.gpu.training.start_clock import StartClock
from sandbox.rewards.policy import X_CODER_SCALE
from sandbox.schema.gpu import GrpoRequest, Progress, RlTask
from sandbox.trainers.trl_reward import trl_reward

EVAL_BATCH_SIZE = 64


class TimedTrainer(GRPOTrainer):  # type: ignore[misc]
    """A GRPO trainer that measures the time of generation, and passes the tests of a batch to the prefetcher."""

    generate_s = 0.0
    reward_prefetch: RewardPrefetch | None = None
    _tests: Sequence[str] = ()

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        self._tests = [row["tests"] for row in inputs]
        return super()._generate_and_score_completions(inputs)

    def _generate_single_turn(self, prompt_ids: Any, *args: Any, **options: Any) -> Any:
        if self.reward_prefetch is not None:
            self.reward_prefetch.begin_batch(prompt_ids, self._tests)
        return super()._generate_single_turn(prompt_ids, *args, **options)

    def _generate(self, *args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return super()._generate(*args, **options)
        finally:
            self.generate_s += time.perf_counter() - began


class TimedReporter(ProgressReporter):
    """A reporter that includes its trainer's generation time."""

    trainer: TimedTrainer | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **rest: Any) -> None:
        if self.trainer is not None and logs is not None and "loss" in logs:
            self.generate_s, self.trainer.generate_s = self.trainer.generate_s, 0.0
            if self.trainer.reward_prefetch is not None:
                self.early = self.trainer.reward_prefetch.take_shares()
        super().on_log(args, state, control, logs, **rest)


def main(job_dir: JobDir) -> None:
    order = job_dir.read_order()
    clock = StartClock(job_dir, order.get("began"))
    clock.end_part("import_s", "the model is loading")
    request = GrpoRequest.model_validate(order["request"])
    if request.rollouts == "colocate" and request.vllm:
        set_vllm_options(request.vllm)
    if request.rollouts == "engine":
        from sandbox.gpu.training.warm_engine import install_warm_engine

        install_warm_engine(job_dir)
    with report_request_errors(job_dir, "settings"):
        args = build_config(job_dir, request, order.get("engine_url", ""))
    model, tokenizer, dtype = load_pretrained(job_dir, order["model"])
    clock.end_part("model_s", "the trainer starts")
    with report_request_errors(job_dir, "dataset"):
        train_dataset = build_dataset(load_tasks(request, order))
    options = build_reward_options(request)
    should_prefetch = request.rollouts != "plain" and request.early_verdicts
    reward_process = RewardProcess(order["url"], options) if should_prefetch else None
    decode = functools.partial(tokenizer.decode, skip_special_tokens=True)
    prefetch = None if reward_process is None else RewardPrefetch(reward_process, decode)
    rewards = build_reward_recorder(request, trl_reward(order["url"], **options), prefetch)
    reporter = TimedReporter(job_dir, rewards, read_slots(order["url"]))
    trainer = TimedTrainer(
        model=model,
        args=args,
        reward_funcs=[rewards],
        train_dataset=train_dataset,
        eval_dataset=build_dataset(request.held_out) if request.held_out else None,
        processing_class=tokenizer,
        callbacks=[reporter],
    )
    reporter.trainer = trainer
    if prefetch is not None:
        trainer.reward_prefetch = prefetch
        attach_prefetch(prefetch, trainer.vllm_generation)
    is_first = trainer.is_world_process_zero()
    clock.end_part("trainer_s", "the held-out tasks are evaluated" if is_first and request.held_out else "")
    checkpoint = job_dir.find_last_checkpoint()
    before = measure_held_out(trainer, rewards, job_dir, "before") if checkpoint is None else None
    clock.end_part("held_out_s", "the first step is computed" if is_first else "")
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    after = measure_held_out(trainer, rewards, job_dir, "after")
    if reward_process is not None:
        reward_process.close()
    save_model(trainer, tokenizer, job_dir, dtype)
    if trainer.is_world_process_zero():
        job_dir.write_result(
            {
                "model": f"job:{job_dir.path.name}",
                "steps": trainer.state.global_step,
                "held_out_before": before,
                "held_out_after": after,
                "start": clock.summarize(),
                "timing": summarize_timing(
                    job_dir, trainer.state.global_step if checkpoint is None else 0, reporter.slots
                ),
                "resumed_from": 0 if checkpoint is None else int(checkpoint.name.rpartition("-")[2]),
            }
        )


def read_slots(url: str) -> Slots:
    """Return the slots of the service, none if it does not say."""
    try:
        with Client(url) as client:
            express = [slot.express for slot in client.live().slots]
    except (InfrastructureError, Refused, BadRequest):
        express = []
    return Slots(express.count(False), express.count(True))


def attach_prefetch(prefetch: RewardPrefetch, generation: Any) -> None:
    """Attach the prefetch to TRL's engine in this process, or to its client for a server (first process only)."""
    if generation.mode == "colocate":
        prefetch.watch_engine(generation.llm.llm_engine)
    elif (client := getattr(generation, "vllm_client", None)) is not None:
        prefetch.watch_server(client)


def set_vllm_options(settings: dict[str, Any]) -> None:
    """Add settings to those of TRL's engine. TRL itself passes only a fixed list of arguments."""
    from trl.generation import vllm_generation

    vllm_generation.LLM = functools.partial(vllm_generation.LLM, **settings)


def build_reward_recorder(
    request: GrpoRequest, reward: Callable[..., list[float | None]], prefetch: RewardPrefetch | None
) -> RewardRecorder:
    """Wrap the service's reward function in a recorder with the name that TRL logs."""
    reward_function = reward if prefetch is None else wrap_with_prefetch(prefetch, reward)
    recorder = RewardRecorder(reward_function, X_CODER_SCALE if request.policy.name == "x-coder" else 1.0)
    recorder.__name__ = "sandbox_reward"  # type: ignore[attr-defined]
    return recorder


def measure_held_out(trainer: GRPOTrainer, rewards: RewardRecorder, job_dir: JobDir, when: str) -> float | None:
    """Return the pass rate on the held-out tasks, None without such tasks. Each process evaluates a part of them."""
    if trainer.eval_dataset is None:
        return None
    rewards.take_totals()
    trainer.evaluate()
    totals = rewards.take_totals()
    counts = gather_object([(len(totals.rewards), totals.correct_count)])
    given, right = (sum(numbers) for numbers in zip(*counts, strict=True))
    rate = right / given if given else None
    if trainer.is_world_process_zero():
        step = trainer.state.global_step
        job_dir.append_progress(
            Progress(step=step, total=trainer.args.max_steps, pass_rate=rate, message=f"held out, {when}")
        )
    trainer.generate_s = 0.0
    return rate


def build_config(job_dir: JobDir, request: GrpoRequest, engine_url: str = "") -> GRPOConfig:
    """Return TRL's configuration. The request's `settings` override the defaults."""
    batch = request.prompts_per_step * request.num_generations
    processes = max(1, request.processes)
    on_gpu = torch.cuda.is_available()
    defaults: dict[str, Any] = {
        "output_dir": str(job_dir.checkpoints),
        "max_steps": request.steps,
        "per_device_train_batch_size": batch // processes,
        "per_device_eval_batch_size": min(EVAL_BATCH_SIZE, len(request.held_out)) if request.held_out else 8,
        "num_generations": request.num_generations,
        "num_generations_eval": 1,
        "max_completion_length": request.max_tokens,
        "learning_rate": request.learning_rate,
        "lr_scheduler_type": "constant",
        "temperature": request.temperature,
        "epsilon_high": request.epsilon_high,
        "beta": request.beta,
        "seed": request.seed,
        "logging_steps": 1,
        "save_steps": request.save_steps,
        "save_total_limit": 2,
        "report_to": [],
        "bf16": on_gpu,
        "use_cpu": not on_gpu,
        "dataloader_pin_memory": on_gpu,
        "disable_tqdm": True,
    }
    if request.rollouts != "plain":
        mode = "server" if request.rollouts == "engine" else request.rollouts
        defaults |= {"use_vllm": True, "vllm_mode": mode}
    if url := engine_url or request.generation_url:
        defaults["vllm_server_base_url"] = url
    return GRPOConfig(**{**defaults, **request.settings})


def load_tasks(request: GrpoRequest, order: dict[str, Any]) -> list[RlTask]:
    if request.tasks is not None:
        return request.tasks
    with Path(order["dataset"]).open(encoding="utf-8") as file:
        return [RlTask.model_validate_json(line) for line in file if line.strip()]


def build_dataset(rows: list[RlTask]) -> Dataset:
    """Build a data set with the tests as JSON text: a column of nested lists would need an Arrow schema."""
    return Dataset.from_list(
        [
            {
                "prompt": to_messages(row.prompt),
                "tests": json.dumps([test.model_dump(mode="json", exclude_unset=True) for test in row.tests]),
            }
            for row in rows
        ]
    )


if __name__ == "__main__":
    main(JobDir(Path(sys.argv[1])))
