"""verl's configuration for a GRPO job, so that it runs on as many hosts as a Ray cluster has.

The values are X-Coder's as published (arXiv 2601.06953): GRPO, 8 rollouts a prompt at T = 1.0, clip-high 0.28, learning
rate 4e-7, no KL; before it, SFT at 5e-5 with a cosine schedule over 8 epochs. A job's own fields stand in their place.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sandbox.config import GpuSettings
from sandbox.gpu.chats import chat_of
from sandbox.gpu.folder import JobFolder
from sandbox.schema.gpu import GrpoRequest, RlTask

X_CODER_SFT = {"learning_rate": 5e-5, "epochs": 8}  # fields of POST /train/sft, which has a cosine schedule
X_CODER_RL: dict[str, Any] = {
    "algorithm.adv_estimator": "grpo",
    "algorithm.use_kl_in_reward": False,
    "actor_rollout_ref.actor.use_kl_loss": False,
    "actor_rollout_ref.actor.clip_ratio_low": 0.2,
    "actor_rollout_ref.actor.clip_ratio_high": 0.28,
    "actor_rollout_ref.actor.optim.lr": 4e-7,
    "actor_rollout_ref.actor.use_dynamic_bsz": True,  # by tokens, so that no micro batch size need be guessed
    "actor_rollout_ref.rollout.log_prob_use_dynamic_bsz": True,
    "actor_rollout_ref.rollout.name": "vllm",
    "actor_rollout_ref.rollout.tensor_model_parallel_size": 1,
    "actor_rollout_ref.rollout.n": 8,
    "actor_rollout_ref.rollout.temperature": 1.0,
}
REWARD = {
    "custom_reward_function.path": "pkg://sandbox.rewards.verl_reward",
    "custom_reward_function.name": "compute_score",
}


def verl_overrides(model: str, train: Path, held_out: Path, url: str, **fields: Any) -> dict[str, Any]:
    """Hydra overrides of `verl.trainer.main_ppo`, by name; `fields` replace or add."""
    return {
        **X_CODER_RL,
        **REWARD,
        "+custom_reward_function.reward_kwargs.url": url,
        "+custom_reward_function.reward_kwargs.policy": "x-coder",
        "data.train_files": str(train),
        "data.val_files": str(held_out),
        "actor_rollout_ref.model.path": model,
        "trainer.logger": "[console]",
        "trainer.resume_mode": "auto",
        **fields,
    }


def verl_command(folder: JobFolder, request: GrpoRequest, settings: GpuSettings, gpus: int) -> list[str]:
    """Write the data as verl reads it, and the command that trains on it; the command is kept beside them."""
    order = folder.order()
    tasks = request.tasks or [
        RlTask.model_validate_json(line) for line in Path(order["dataset"]).read_text().splitlines() if line.strip()
    ]
    train, held_out = folder.path / "train.jsonl", folder.path / "held_out.jsonl"
    write_rows(train, tasks)
    write_rows(held_out, request.held_out or tasks[:1])
    overrides = verl_overrides(order["model"], train, held_out, settings.url, **_of_request(folder, request, gpus))
    if settings.ray_address:
        overrides["+ray_kwargs.ray_init.address"] = settings.ray_address
    command = [settings.gpu_python or sys.executable, "-m", "sandbox.gpu.train_verl", str(folder.path)]
    lines = [f"{name}={value}" for name, value in overrides.items()]
    (folder.path / "overrides.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return command


def _of_request(folder: JobFolder, request: GrpoRequest, gpus: int) -> dict[str, Any]:
    told = {
        "language": request.language,
        "checker": request.checker.model_dump(mode="json", exclude_none=True),
        "limits": request.limits.model_dump(mode="json", exclude_none=True),
    }
    options = {name: hydra(value) for name, value in told.items() if value and name in request.model_fields_set}
    return {
        "+custom_reward_function.reward_kwargs.policy": request.policy.name,
        **{f"+custom_reward_function.reward_kwargs.{name}": value for name, value in options.items()},
        "actor_rollout_ref.actor.optim.lr": request.learning_rate,
        "actor_rollout_ref.actor.clip_ratio_high": request.epsilon_high,
        "actor_rollout_ref.actor.use_kl_loss": request.beta > 0,
        "actor_rollout_ref.actor.kl_loss_coef": request.beta,
        "actor_rollout_ref.actor.ppo_mini_batch_size": request.prompts_per_step,
        "actor_rollout_ref.rollout.n": request.num_generations,
        "actor_rollout_ref.rollout.temperature": request.temperature,
        "data.train_batch_size": request.prompts_per_step,
        "data.max_response_length": request.max_tokens,
        "trainer.total_training_steps": request.steps,
        "trainer.save_freq": request.save_steps,
        "trainer.default_local_dir": str(folder.checkpoints),
        "trainer.n_gpus_per_node": max(1, gpus),
        **request.settings,
    }


def hydra(value: Any) -> str:
    """A value in the grammar of Hydra's overrides, whose names have no quotes."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{name}:{hydra(each)}" for name, each in value.items()) + "}"
    return "[" + ",".join(map(hydra, value)) + "]" if isinstance(value, list) else json.dumps(value)


def write_rows(path: Path, tasks: list[RlTask]) -> None:
    """verl's columns: the prompt as a chat, and the tests as the ground truth."""
    with path.open("w", encoding="utf-8") as file:
        for index, task in enumerate(tasks):
            row = {
                "data_source": "sandbox",
                "prompt": chat_of(task.prompt),
                "reward_model": {
                    "style": "rule",
                    "ground_truth": json.dumps(
                        [test.model_dump(mode="json", exclude_unset=True) for test in task.tests]
                    ),
                },
                "extra_info": {"index": index, "name": task.name},
            }
            file.write(json.dumps(row) + "\n")
