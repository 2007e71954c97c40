"""The loop of training closed on a real GPU, against a running service with a GPU worker: measured and drawn.

    python -m loadtest.gpu_proof generate --model NAME      tokens a second with verdicts and without, and the overlap
    python -m loadtest.gpu_proof sft --model NAME           fine-tuning on tasks and their solutions, three seeds
    python -m loadtest.gpu_proof grpo --wrong               held-out pass rate before and after, from those models
    python -m loadtest.gpu_proof evaluate --rows-file FILE  pass@k of a benchmark in HumanEval's shape
    python -m loadtest.gpu_proof picture                    both as pictures, from the JSON they have left

The service is at --url. For all of it on one GPU, with a model so small that five processes find room on it, the worker
is `SANDBOX_GPU_SERVERS=1 sandbox gpu-worker --gpus 0,0,0,0,0 --workers 5`: one serves, four train.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from sandbox.client import Client
from sandbox.gpu.families import FamilyTask, make, mislabel
from sandbox.schema.gpu import GpuJob, RlTask

RESULTS = Path(__file__).parent / "results" / "gpu"
SEEDS = (0, 1, 2)
WRONG_SHARE = 0.05
HELD_OUT_SEED = 1_000
PROBE_SEED = 2_000
LIMITS = {"cpu_time_s": 0.1, "wall_time_s": 1.0}  # the tasks' references need milliseconds


def say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


def generate(options: argparse.Namespace) -> None:
    """Bare requests to the servers and a verified job, in the order A B B A: what drifts hits both alike.

    Where several servers share the work, one of them alone is asked too, first and last.
    """
    tasks = make(options.prompts, HELD_OUT_SEED, held_out=True)
    runs: dict[str, list[dict[str, Any]]] = {"bare": [], "verified": []}
    with Client(options.url) as client:
        began = time.monotonic()
        warm = _generated(client, options, tasks[:64])
        say(f"the engine is warm after {time.monotonic() - began:.1f} s: {warm}")
        if warm["lost_verdicts"]:
            raise SystemExit(f"{warm['lost_verdicts']} verdicts are lost: mend the service first")
        order = ["bare", "verified", "verified", "bare"][: options.runs]
        if len(warm["served_by"]) > 1 and options.runs == 4:
            runs["bare_one_server"] = []
            order = ["bare_one_server", *order, "bare_one_server"]
        for kind in order:
            if kind == "bare":
                run = asyncio.run(_bare(warm["served_by"], options, tasks))
            elif kind == "bare_one_server":
                run = asyncio.run(_bare(warm["served_by"][:1], options, tasks))
            else:
                run = _generated(client, options, tasks)
            say(f"{kind}: {run}")
            runs[kind].append(run)
            _write(options, "generate.json", {**_summary(runs), "warm_up": warm, "runs": runs})


def _summary(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    def speed(kind: str) -> float:
        of_kind = runs[kind]
        return sum(run["tokens"] for run in of_kind) / sum(run["generate_s"] for run in of_kind) if of_kind else 0.0

    told: dict[str, Any] = {"bare_tokens_per_s": speed("bare"), "verified_tokens_per_s": speed("verified")}
    if runs["bare"] and runs["verified"]:
        told["ratio"] = speed("verified") / speed("bare")
    if runs.get("bare_one_server") and runs["bare"]:
        told["bare_one_server_tokens_per_s"] = speed("bare_one_server")
        told["speed_up_of_more_servers"] = speed("bare") / speed("bare_one_server")
    if runs["verified"]:
        told["last_token_to_last_verdict_s"] = max(run["last_token_to_last_verdict_s"] for run in runs["verified"])
        told["verdicts_per_s"] = max(run["verdicts_per_s"] for run in runs["verified"])
        told["overlap"] = min(run["overlap"] for run in runs["verified"])
        told["pass_rate"] = sum(run["pass_rate"] for run in runs["verified"]) / len(runs["verified"])
    return told


def _generated(client: Client, options: argparse.Namespace, tasks: list[FamilyTask]) -> dict[str, Any]:
    """One job with verdicts on the way."""
    request = {
        "model": options.model,
        "messages": [_chat(task) for task in tasks],
        "sampling": {"n": options.n, "temperature": 1.0, "max_tokens": options.max_tokens},
        "verify": {"tests": [_tests(task) for task in tasks], "limits": LIMITS},
    }
    job = _ended(client, client.start("generate", request))
    return dict(job.result or {})


async def _bare(urls: list[str], options: argparse.Namespace, tasks: list[FamilyTask]) -> dict[str, Any]:
    """The same requests by the shortest program there is, with nothing done about the answers."""
    limits = httpx.Limits(max_connections=None)
    began = time.monotonic()
    tokens = 0
    model = (await _models(urls[0]))[0]
    async with httpx.AsyncClient(timeout=600, limits=limits) as http:

        async def one(index: int, task: FamilyTask) -> int:
            body = {
                "model": model,
                "messages": _chat(task),
                "n": options.n,
                "temperature": 1.0,
                "max_tokens": options.max_tokens,
            }
            answer = await http.post(f"{urls[index % len(urls)]}/chat/completions", json=body)
            return int(answer.json()["usage"]["completion_tokens"])

        tokens = sum(await asyncio.gather(*(one(index, task) for index, task in enumerate(tasks))))
    generate_s = time.monotonic() - began
    return {"tokens": tokens, "generate_s": round(generate_s, 3), "tokens_per_s": round(tokens / generate_s, 1)}


async def _models(url: str) -> list[str]:
    async with httpx.AsyncClient() as http:
        return [model["id"] for model in (await http.get(f"{url}/models")).json()["data"]]


def sft(options: argparse.Namespace) -> None:
    """Supervised fine-tuning for each seed, all at the same time as far as there are workers."""
    told: dict[str, Any] = {}
    with Client(options.url) as client:
        jobs = {seed: client.start("train_sft", _sft(options, seed)) for seed in SEEDS[: options.seeds]}
        for seed, job in jobs.items():
            ended = _ended(client, job)
            told[str(seed)] = {**(ended.result or {}), "curve": _curve(options.url, job.id)}
            say(f"SFT, seed {seed}: {ended.result}")
            _write(options, "sft.json", told)


def grpo(options: argparse.Namespace) -> None:
    """GRPO on each seed's fine-tuned model at the same time, and once more with wrong labels."""
    tuned = json.loads((options.out / "sft.json").read_text(encoding="utf-8"))
    told: dict[str, Any] = {}
    with Client(options.url) as client:
        jobs = {seed: client.start("train_grpo", _grpo(options, int(seed), tuned[seed]["model"])) for seed in tuned}
        if options.wrong:
            name = f"0, {WRONG_SHARE:.0%} of labels wrong"
            jobs[name] = client.start("train_grpo", _grpo(options, 0, tuned["0"]["model"], WRONG_SHARE))
        for name, job in jobs.items():
            ended = _ended(client, job)
            told[name] = {**(ended.result or {}), "curve": _curve(options.url, job.id)}
            _write(options, "grpo-late.json" if options.late else "grpo.json", told)
            say(f"GRPO, seed {name}: {ended.result}")


def evaluate(options: argparse.Namespace) -> None:
    """pass@k of a model on a benchmark's rows."""
    rows = [json.loads(line) for line in options.rows_file.read_text(encoding="utf-8").splitlines() if line.strip()]
    request = {
        "model": options.model,
        "rows": rows,
        "shape": options.shape,
        "k": [1, options.n],
        "sampling": {"n": options.n, "temperature": 0.2, "max_tokens": 384},
    }
    with Client(options.url) as client:
        ended = _ended(client, client.start("evaluate", request))
    result = dict(ended.result or {})
    result.pop("problems", None)
    result.pop("picture_base64", None)
    say(f"evaluation: {result}")
    _write(options, f"evaluate-{options.shape}.json", result)


def _sft(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    return {
        "model": options.model,
        "rows": [row.sft_row().model_dump(mode="json") for row in make(options.rows, seed)],
        "steps": options.sft_steps,
        "batch": options.sft_batch,
        "learning_rate": options.sft_rate,
        "max_tokens": 512,
        "save_steps": 10_000,
        "seed": seed,
        "probe": {
            "tasks": [_rl(task) for task in make(options.probes, PROBE_SEED)],
            "every_steps": options.probe_every,
            "max_tokens": options.max_tokens,
            "stop_at": options.stop_at,
        },
        "settings": {"lr_scheduler_type": "constant", "gradient_checkpointing": False},
    }


def _grpo(options: argparse.Namespace, seed: int, model: str, wrong: float = 0.0) -> dict[str, Any]:
    tasks = make(options.rows, 10 + seed, tests=options.tests)
    if wrong:
        tasks = mislabel(tasks, wrong, seed)
    colocate: dict[str, Any] = (
        {"vllm": {"kv_cache_memory_bytes": 4 << 30, "dtype": "bfloat16"}} if options.rollouts == "colocate" else {}
    )
    # Logits of a whole step would take 20 GB a trainer: a quarter of it at a time.
    part = max(1, options.grpo_prompts * 8 // 4)
    engine = {"vllm_gpu_memory_utilization": 0.1, "vllm_max_model_length": 512} if colocate else {}
    return {
        "model": model,
        "tasks": [_rl(task) for task in tasks],
        "held_out": [_rl(task) for task in make(options.held_out, HELD_OUT_SEED, held_out=True)],
        "steps": options.grpo_steps,
        "prompts_per_step": options.grpo_prompts,
        "num_generations": 8,
        "learning_rate": options.grpo_rate,
        "max_tokens": options.max_tokens,
        "limits": LIMITS,
        "rollouts": options.rollouts,
        "early_verdicts": not options.late,
        "save_steps": 10_000,
        "seed": seed,
        "settings": {
            "gradient_checkpointing": False,
            "per_device_train_batch_size": part,
            "gradient_accumulation_steps": options.grpo_prompts * 8 // part,
            **engine,
        },
        **colocate,
    }


def _chat(task: FamilyTask) -> list[dict[str, str]]:
    return [{"role": "user", "content": str(task.rl_task().prompt)}]


def _tests(task: FamilyTask) -> list[dict[str, Any]]:
    return [test.model_dump(mode="json", exclude_unset=True) for test in task.tests]


def _rl(task: FamilyTask) -> dict[str, Any]:
    row: RlTask = task.rl_task()
    return row.model_dump(mode="json", exclude_unset=True)


def _ended(client: Client, job: GpuJob) -> GpuJob:
    """The job at its end; one that failed ends this program with its words."""
    last = ""
    while True:
        now = client.job(job.id)
        assert isinstance(now, GpuJob)
        if now.status in {"finished", "failed", "cancelled"}:
            if now.status != "finished":
                raise SystemExit(f"{job.kind} {job.id} {now.status}: {now.error}")
            return now
        words = f"{now.status} {now.progress.model_dump_json(exclude_none=True)}"
        if words != last:
            last = words
            say(f"{job.kind} {job.id[:12]}: {words}")
        time.sleep(2.0)


def _curve(url: str, job_id: str) -> list[dict[str, Any]]:
    """Every progress line of an ended job."""
    found = []
    event = ""
    with httpx.stream("GET", f"{url}/jobs/{job_id}/events", timeout=60) as response:
        for line in response.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: ") and event == "progress":
                found.append(json.loads(line.removeprefix("data: ")))
    return found


def picture(options: argparse.Namespace) -> None:
    """Pass rates as bars beside the reward curves."""
    from loadtest.gpu_picture import draw

    say(f"drawn: {draw(options.out)}")


def _write(options: argparse.Namespace, name: str, told: dict[str, Any]) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / name).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["generate", "sft", "grpo", "evaluate", "picture"])
    parser.add_argument("--model", default="smollm2", help="as the GPU worker's folder has it")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--wrong", action="store_true", help="once more with 5 %% of the labels wrong")
    parser.add_argument("--late", action="store_true", help="verdicts only when a step's last completion has ended")
    parser.add_argument("--rollouts", choices=["plain", "colocate"], default="colocate")
    parser.add_argument("--rows-file", type=Path, help="for evaluate: JSON lines")
    parser.add_argument("--shape", default="humaneval")
    numbers: dict[str, float] = {
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
    }
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = parser.parse_args()
    commands = {"generate": generate, "sft": sft, "grpo": grpo, "evaluate": evaluate, "picture": picture}
    commands[options.command](options)


if __name__ == "__main__":
    main()
