"""The requests of the GPU measurements: tasks and trainings, and how to wait for a job."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from sandbox.client import Client
from sandbox.gpu.training.toy_tasks import ToyTask, generate_tasks, mislabel
from sandbox.schema.gpu import GpuJob, RlTask

RESULTS = Path(__file__).parent / "results" / "gpu"
HELD_OUT_SEED = 1_000
PROBE_SEED = 2_000
LIMITS = {"cpu_time_s": 0.1, "wall_time_s": 1.0}  # reference solutions need milliseconds
ENDED_STATUSES = {"finished", "failed", "cancelled"}
GENERATIONS_PER_PROMPT = 8
NUMBER_OPTIONS: dict[str, float] = {
    "prompts": 512,
    "n": 8,
    "max-tokens": 128,
    "runs": 4,
    "seeds": 3,
    "rows": 4_000,
    "sft-steps": 100,
    "sft-batch": 16,
    "sft-rate": 5e-5,
    "probes": 64,
    "probe-every": 2,
    "stop-at": 0.4,
    "tests": 5,
    "held-out": 256,
    "grpo-steps": 80,
    "grpo-prompts": 16,
    "grpo-rate": 1e-5,
    "grpo-parts": 4,
}


class JobFailed(Exception):
    """A job ended without a result; the message holds its error."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="smollm2", help="name in the GPU worker's folder")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--late", action="store_true", help="request verdicts only after a step's last completion")
    parser.add_argument("--rollouts", choices=["plain", "colocate", "server"], default="colocate")
    parser.add_argument("--generation-url", default="", help="with --rollouts server")
    for name, default in NUMBER_OPTIONS.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def build_messages(task: ToyTask) -> list[dict[str, str]]:
    return [{"role": "user", "content": str(task.to_rl_task().prompt)}]


def dump_tests(task: ToyTask) -> list[dict[str, Any]]:
    return [test.model_dump(mode="json", exclude_unset=True) for test in task.tests]


def build_rl_row(task: ToyTask) -> dict[str, Any]:
    row: RlTask = task.to_rl_task()
    return row.model_dump(mode="json", exclude_unset=True)


def make_held_out_tasks(number: int) -> list[ToyTask]:
    return generate_tasks(number, HELD_OUT_SEED, held_out=True)


def build_generate_request(options: argparse.Namespace, tasks: list[ToyTask], **sampling: Any) -> dict[str, Any]:
    """Build a generate request with verdicts."""
    return {
        "model": options.model,
        "messages": [build_messages(task) for task in tasks],
        "sampling": {"n": options.n, "temperature": 1.0, "max_tokens": options.max_tokens, **sampling},
        "verify": {"tests": [dump_tests(task) for task in tasks], "limits": LIMITS},
    }


def build_sft_request(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    return {
        "model": options.model,
        "rows": [row.to_sft_row().model_dump(mode="json") for row in generate_tasks(options.rows, seed)],
        "steps": options.sft_steps,
        "batch": options.sft_batch,
        "learning_rate": options.sft_rate,
        "max_tokens": 512,
        "save_steps": 10_000,
        "seed": seed,
        "settings": {"lr_scheduler_type": "constant", "gradient_checkpointing": False},
    }


def build_probe(options: argparse.Namespace) -> dict[str, Any]:
    """Build a probe that ends the fine-tuning early enough to leave room for RL."""
    return {
        "tasks": [build_rl_row(task) for task in generate_tasks(options.probes, PROBE_SEED)],
        "every_steps": options.probe_every,
        "max_tokens": options.max_tokens,
        "stop_at": options.stop_at,
    }


def build_grpo_request(
    options: argparse.Namespace, seed: int, model: str, wrong_share: float = 0.0, processes: int = 1
) -> dict[str, Any]:
    """Build a GRPO request. The batch of a step does not depend on the number of processes."""
    tasks = generate_tasks(options.rows, 10 + seed, tests=options.tests)
    if wrong_share:
        tasks = mislabel(tasks, wrong_share, seed)
    # Logits of a whole step would take 20 GB per trainer, so it is split.
    batch = options.grpo_prompts * GENERATIONS_PER_PROMPT
    part = max(1, batch // (options.grpo_parts * processes))
    return {
        "model": model,
        "tasks": [build_rl_row(task) for task in tasks],
        "held_out": [build_rl_row(task) for task in make_held_out_tasks(options.held_out)],
        "steps": options.grpo_steps,
        "prompts_per_step": options.grpo_prompts,
        "num_generations": GENERATIONS_PER_PROMPT,
        "learning_rate": options.grpo_rate,
        "max_tokens": options.max_tokens,
        "limits": LIMITS,
        "early_verdicts": not options.late,
        "save_steps": 10_000,
        "seed": seed,
        "processes": processes,
        **_build_rollout_fields(
            options,
            {
                "gradient_checkpointing": False,
                "per_device_train_batch_size": part,
                "gradient_accumulation_steps": batch // (part * processes),
            },
        ),
    }


def _build_rollout_fields(options: argparse.Namespace, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the rollout fields. A colocated engine is kept small, so that several trainers fit on a GPU."""
    rollout_fields: dict[str, Any] = {"rollouts": options.rollouts, "settings": settings}
    if options.rollouts == "server":
        return {**rollout_fields, "generation_url": options.generation_url}
    if options.rollouts == "colocate":
        engine = {"vllm_gpu_memory_utilization": 0.05, "vllm_max_model_length": 512}
        vllm = {"kv_cache_memory_bytes": 2 << 30, "dtype": "bfloat16"}
        return {**rollout_fields, "settings": {**settings, **engine}, "vllm": vllm}
    return rollout_fields


def wait_for_job(client: Client, job: GpuJob) -> GpuJob:
    """Wait until the job ends and return it. Raises JobFailed."""
    last = ""
    while True:
        now = client.job(job.id)
        assert isinstance(now, GpuJob)
        if now.status in ENDED_STATUSES:
            if now.status != "finished":
                raise JobFailed(f"{job.kind} {job.id} {now.status}: {now.error}")
            return now
        words = f"{now.status} {now.progress.model_dump_json(exclude_none=True)}"
        if words != last:
            last = words
            say(f"{job.kind} {job.id[:12]}: {words}")
        time.sleep(2.0)


def read_progress(url: str, job_id: str) -> list[dict[str, Any]]:
    """Return all progress events of an ended job."""
    found = []
    event = ""
    with httpx.stream("GET", f"{url}/jobs/{job_id}/events", timeout=60) as response:
        for line in response.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "progress":
                found.append(json.loads(line.removeprefix("data: ")))
    return found


def write_json(folder: Path, name: str, content: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Read a JSON file; return an empty dict if it does not exist."""
    path = folder / name
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content
