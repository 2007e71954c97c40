"""Run supervised fine-tuning in a separate process: `python -m sandbox.gpu.training.train_sft FOLDER`.

Theory of operation. The folder holds the request and receives the results (`job_dir`). If it holds a checkpoint,
training continues from there, which is all that a retry needs. Loss is computed on the last message only. An optional
probe generates completions of a few tasks with the current model, has the service judge them, and may end the training
early. The first process measures and broadcasts its decision to all others before any of them continues, because a
process that continued alone would wait for the others forever.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.messages import to_messages
from sandbox.gpu.training.pretrained import load_pretrained, save_model
from sandbox.gpu.training.reporting import ProgressReporter, summarize_timing
from sandbox.gpu.training.request_errors import report_request_errors
from sandbox.gpu.training.start_clock import StartClock
from sandbox.schema.gpu import Probe, Progress, SftRequest
from sandbox.trainers.trl_reward import trl_reward

PROBE_BATCH_SIZE = 128


def main(job_dir: JobDir) -> None:
    order = job_dir.read_order()
    clock = StartClock(job_dir, order.get("began"))
    clock.end_part("import_s", "the model is loading")
    request = SftRequest.model_validate(order["request"])
    with report_request_errors(job_dir, "settings"):
        args = build_config(job_dir, request)
    model, tokenizer, dtype = load_pretrained(job_dir, order["model"])
    clock.end_part("model_s", "the trainer starts")
    with report_request_errors(job_dir, "dataset"):
        examples = load_rows(request, order)
    reporter = ProgressReporter(job_dir)
    prober = None if request.probe is None else Prober(job_dir, request.probe, order["url"], tokenizer)
    callbacks: list[TrainerCallback] = [reporter] if prober is None else [reporter, prober]
    trainer = SFTTrainer(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(examples),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    with report_request_errors(job_dir, "max_tokens"):
        require_training_rows(trainer, len(examples))
    if request.probe is not None:
        with report_request_errors(job_dir, "probe"):
            require_unsharded_model(trainer)
    checkpoint = job_dir.find_last_checkpoint()
    clock.end_part("trainer_s", "the first step is computed" if trainer.is_world_process_zero() else "")
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    save_model(trainer, tokenizer, job_dir, dtype)
    if trainer.is_world_process_zero():
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        job_dir.write_result(
            {
                "model": f"job:{job_dir.path.name}",
                "steps": trainer.state.global_step,
                "loss_first": losses[0] if losses else None,
                "loss_last": losses[-1] if losses else None,
                "pass_rate": None if prober is None else prober.measure_pass_rate(trainer.model),
                "start": clock.summarize(),
                "timing": summarize_timing(job_dir, trainer.state.global_step if checkpoint is None else 0),
                "resumed_from": 0 if checkpoint is None else int(checkpoint.name.rpartition("-")[2]),
            }
        )


def build_config(job_dir: JobDir, request: SftRequest) -> SFTConfig:
    """Return TRL's configuration. The request's `settings` override the defaults."""
    defaults: dict[str, Any] = {
        "output_dir": str(job_dir.checkpoints),
        "max_steps": request.steps if request.epochs is None else -1,
        "num_train_epochs": request.epochs or 1.0,
        "per_device_train_batch_size": request.batch,
        "learning_rate": request.learning_rate,
        "lr_scheduler_type": "cosine",
        "max_length": request.max_tokens,
        "seed": request.seed,
        "logging_steps": 1,
        "save_steps": request.save_steps,
        "save_total_limit": 2,
        "report_to": [],
        "bf16": torch.cuda.is_available(),
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "disable_tqdm": True,
    }
    return SFTConfig(**{**defaults, **request.settings})


def load_rows(request: SftRequest, order: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows of prompt and completion, so that loss is computed on the completion."""
    if request.rows is not None:
        chats = [[message.model_dump() for message in row.messages] for row in request.rows]
    else:
        with Path(order["dataset"]).open(encoding="utf-8") as file:
            chats = [json.loads(line)["messages"] for line in file if line.strip()]
    return [{"prompt": chat[:-1], "completion": chat[-1:]} for chat in chats]


def require_training_rows(trainer: SFTTrainer, row_count: int) -> None:
    """Raise ValueError if TRL dropped every row. It drops a row whose answer begins after the token limit."""
    if not len(trainer.train_dataset):
        raise ValueError(f"in none of the {row_count} rows does the answer begin within this limit")


def require_unsharded_model(trainer: SFTTrainer) -> None:
    """Raise ValueError if the model is sharded over the processes."""
    deepspeed = trainer.accelerator.state.deepspeed_plugin
    if trainer.is_fsdp_enabled or (deepspeed is not None and deepspeed.zero_stage == 3):
        raise ValueError("the probe needs the whole model in one process; FSDP and DeepSpeed's ZeRO-3 shard it")


class Prober(TrainerCallback):  # type: ignore[misc]
    """Measures the pass rate on a few tasks at intervals with the service, and ends training once it is high enough."""

    def __init__(self, job_dir: JobDir, probe: Probe, url: str, tokenizer: Any) -> None:
        self._job_dir = job_dir
        self._probe = probe
        self._tokenizer = tokenizer
        self._reward = trl_reward(url, policy="binary", environment=probe.environment)

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
        if state.global_step % self._probe.every_steps:
            return
        should_stop = [state.is_world_process_zero and self._should_stop(state, model)]
        broadcast_object_list(should_stop)
        if should_stop[0]:
            control.should_training_stop = True

    def _should_stop(self, state: Any, model: Any) -> bool:
        """Measure and report the pass rate; return whether it is high enough to stop."""
        rate = self.measure_pass_rate(model)
        words = "" if rate is not None else "no verdict on the probe: the service failed"
        self._job_dir.append_progress(
            Progress(step=state.global_step, total=state.max_steps, pass_rate=rate, message=words)
        )
        return rate is not None and self._probe.stop_at is not None and rate >= self._probe.stop_at

    def measure_pass_rate(self, model: Any) -> float | None:
        """Return the pass rate of the current model, or None if no completion has a verdict."""
        tasks = self._probe.tasks
        completions: list[str] = []
        for start in range(0, len(tasks), PROBE_BATCH_SIZE):
            completions += self._complete(
                model, [to_messages(task.prompt) for task in tasks[start : start + PROBE_BATCH_SIZE]]
            )
        tests = [[test.model_dump(mode="json") for test in task.tests] for task in tasks]
        known = [reward for reward in self._reward(completions=completions, tests=tests) if reward is not None]
        return sum(known) / len(known) if known else None

    def _complete(self, model: Any, chats: list[list[dict[str, str]]]) -> list[str]:
        tokenizer = self._tokenizer
        texts = [tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
        batch = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False)
        was_training = model.training
        model.eval()
        on_gpu = torch.cuda.is_available()
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=on_gpu):
            output = model.generate(
                **batch.to(model.device),
                max_new_tokens=self._probe.max_tokens,
                do_sample=True,
                temperature=1.0,
                top_k=0,
                pad_token_id=tokenizer.pad_token_id,
            )
        model.train(was_training)
        found: list[str] = tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        return found


if __name__ == "__main__":
    main(JobDir(Path(sys.argv[1])))
