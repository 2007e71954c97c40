"""Reinforcement learning as a process of its own: `python -m sandbox.gpu.train_grpo FOLDER`.

Theory of operation. TRL's GRPO draws completions (with transformers, with vLLM beside the trainer on the same GPUs, or
from vLLM's server on others), this service judges them, and its rewards move the model. Where vLLM draws, a completion
is judged as soon as it has ended (`early_verdicts`). Held-out tasks, where there are some, are
measured before the first step and after the last, with full marks for a completion that passes every test. Where the
folder holds a checkpoint, the training goes on from there.
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

from sandbox.gpu.chats import chat_of
from sandbox.gpu.early_verdicts import EarlyVerdicts, JudgeBeside, with_early_verdicts
from sandbox.gpu.folder import JobFolder
from sandbox.gpu.mistakes import asked_for
from sandbox.gpu.pretrained import pretrained, save
from sandbox.gpu.reporting import Reporter, RewardWatch, timing
from sandbox.gpu.reward_options import reward_options
from sandbox.rewards.score import X_CODER_SCALE
from sandbox.rewards.trl_reward import trl_reward
from sandbox.schema.gpu import GrpoRequest, Progress, RlTask

EVALUATED_AT_ONCE = 64


class TimedTrainer(GRPOTrainer):  # type: ignore[misc]
    """Says how long drawing completions took, all of a step before its verdicts, and whose tests are wanted early."""

    generate_s = 0.0
    early: EarlyVerdicts | None = None
    _tests: Sequence[str] = ()

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        self._tests = [row["tests"] for row in inputs]
        return super()._generate_and_score_completions(inputs)

    def _generate_single_turn(self, prompt_ids: Any, *args: Any, **options: Any) -> Any:
        if self.early is not None:
            self.early.begin(prompt_ids, self._tests)
        return super()._generate_single_turn(prompt_ids, *args, **options)

    def _generate(self, *args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return super()._generate(*args, **options)
        finally:
            self.generate_s += time.perf_counter() - began


class TimedReporter(Reporter):
    """A reporter that knows its trainer's time of generation."""

    trainer: TimedTrainer | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **rest: Any) -> None:
        if self.trainer is not None and logs is not None and "loss" in logs:
            self.generate_s, self.trainer.generate_s = self.trainer.generate_s, 0.0
            if self.trainer.early is not None:
                self.early_share = self.trainer.early.take_share()
        super().on_log(args, state, control, logs, **rest)


def main(folder: JobFolder) -> None:
    order = folder.order()
    request = GrpoRequest.model_validate(order["request"])
    if request.rollouts == "colocate" and request.vllm:
        hand_on_to_vllm(request.vllm)
    with asked_for(folder, "settings"):
        args = config(folder, request)
    model, tokenizer = pretrained(folder, order["model"])
    with asked_for(folder, "dataset"):
        train_dataset = dataset(tasks(request, order))
    options = reward_options(request)
    beside = request.rollouts != "plain" and request.early_verdicts
    judge = JudgeBeside(order["url"], options) if beside else None
    decode = functools.partial(tokenizer.decode, skip_special_tokens=True)
    early = None if judge is None else EarlyVerdicts(judge, decode)
    rewards = watched(request, trl_reward(order["url"], **options), early)
    reporter = TimedReporter(folder, rewards)
    trainer = TimedTrainer(
        model=model,
        args=args,
        reward_funcs=[rewards],
        train_dataset=train_dataset,
        eval_dataset=dataset(request.held_out) if request.held_out else None,
        processing_class=tokenizer,
        callbacks=[reporter],
    )
    reporter.trainer = trainer
    if early is not None:
        trainer.early = early
        watch(early, trainer.vllm_generation)
    checkpoint = folder.last_checkpoint()
    before = measured(trainer, rewards, folder, "before") if checkpoint is None else None
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    after = measured(trainer, rewards, folder, "after")
    if judge is not None:
        judge.close()
    save(trainer, tokenizer, folder)
    if trainer.is_world_process_zero():
        folder.finish(
            {
                "model": f"job:{folder.path.name}",
                "steps": trainer.state.global_step,
                "held_out_before": before,
                "held_out_after": after,
                "timing": timing(folder, trainer.state.global_step if checkpoint is None else 0),
                "resumed_from": 0 if checkpoint is None else int(checkpoint.name.rpartition("-")[2]),
            }
        )


def watch(early: EarlyVerdicts, generation: Any) -> None:
    """TRL's own engine in this process, or its client of a server, which the first process alone has."""
    if generation.mode == "colocate":
        early.watch(generation.llm.llm_engine)
    elif (client := getattr(generation, "vllm_client", None)) is not None:
        early.watch_server(client)


def hand_on_to_vllm(settings: dict[str, Any]) -> None:
    """TRL starts its own engine and hands on a fixed list of arguments: the others go in here."""
    from trl.generation import vllm_generation

    vllm_generation.LLM = functools.partial(vllm_generation.LLM, **settings)


def watched(
    request: GrpoRequest, reward: Callable[..., list[float | None]], early: EarlyVerdicts | None
) -> RewardWatch:
    """The service as a reward function that TRL calls by the name it logs."""
    asked = reward if early is None else with_early_verdicts(early, reward)
    watch = RewardWatch(asked, X_CODER_SCALE if request.policy.name == "x-coder" else 1.0)
    watch.__name__ = "sandbox_reward"  # type: ignore[attr-defined]
    return watch


def measured(trainer: GRPOTrainer, rewards: RewardWatch, folder: JobFolder, when: str) -> float | None:
    """The held-out tasks' pass rate with the model as it is; None without such tasks. Each process has some of them."""
    if trainer.eval_dataset is None:
        return None
    rewards.take()
    trainer.evaluate()
    taken = rewards.take()
    counts = gather_object([(len(taken.given), taken.right)])
    given, right = (sum(numbers) for numbers in zip(*counts, strict=True))
    rate = right / given if given else None
    if trainer.is_world_process_zero():
        step = trainer.state.global_step
        folder.tell(Progress(step=step, total=trainer.args.max_steps, pass_rate=rate, message=f"held out, {when}"))
    trainer.generate_s = 0.0
    return rate


def config(folder: JobFolder, request: GrpoRequest) -> GRPOConfig:
    """TRL's settings; those of the request's `settings` win."""
    batch = request.prompts_per_step * request.num_generations
    processes = max(1, request.processes)
    on_gpu = torch.cuda.is_available()
    ours: dict[str, Any] = {
        "output_dir": str(folder.checkpoints),
        "max_steps": request.steps,
        "per_device_train_batch_size": batch // processes,
        "per_device_eval_batch_size": min(EVALUATED_AT_ONCE, len(request.held_out)) if request.held_out else 8,
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
        ours |= {"use_vllm": True, "vllm_mode": request.rollouts}
    if request.generation_url:
        ours["vllm_server_base_url"] = request.generation_url
    return GRPOConfig(**{**ours, **request.settings})


def tasks(request: GrpoRequest, order: dict[str, Any]) -> list[RlTask]:
    if request.tasks is not None:
        return request.tasks
    with Path(order["dataset"]).open(encoding="utf-8") as file:
        return [RlTask.model_validate_json(line) for line in file if line.strip()]


def dataset(rows: list[RlTask]) -> Dataset:
    """Tests as JSON text: a column of nested lists would cost Arrow a schema."""
    return Dataset.from_list(
        [
            {
                "prompt": chat_of(row.prompt),
                "tests": json.dumps([test.model_dump(mode="json", exclude_unset=True) for test in row.tests]),
            }
            for row in rows
        ]
    )


if __name__ == "__main__":
    main(JobFolder(Path(sys.argv[1])))
