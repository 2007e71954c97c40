"""Measure two GPUs of one host together, using a running service and a GPU worker that has both.

    python -m loadtest.gpu_pair "sft ddp" "sft fsdp" "sft zero2"      one training over both GPUs
    python -m loadtest.gpu_pair "grpo one"                            vLLM and the trainer on one GPU
    python -m loadtest.gpu_pair "grpo processes"                      the same on both, each with early verdicts
    python -m loadtest.gpu_pair "grpo two"                            two such trainings, one per GPU
    python -m loadtest.gpu_pair "grpo server" --generation-url URL    vLLM's server on one GPU, the trainer on the other
    python -m loadtest.gpu_pair "tensor parallel" --model NAME [--compare-url URL --compare-model NAME]

Jobs named in one command are posted together. Each result is saved to `pair.json` as soon as it arrives, next to those
of earlier commands. The GPU workers decide how the GPUs are shared: `sandbox gpu-worker --gpus 0,1` is one worker with
both, `--workers 2` starts two with one each.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import httpx

from loadtest import gpu_requests as ask
from loadtest.gpu_requests import JobFailed, say
from sandbox.client import Client
from sandbox.schema.gpu import GpuJob

RESULTS_FILE = "pair.json"
SERVER_TIMEOUT_S = 240.0
BOTH_GPUS = {"gpus": 2, "processes": 2}
AUTO_BATCH_SIZES = dict.fromkeys(
    ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "train_batch_size"), "auto"
)
SHARDINGS: dict[str, dict[str, Any]] = {
    "one": {},
    "ddp": {},
    "fsdp": {"fsdp": "full_shard auto_wrap"},
    "zero2": {"deepspeed": {**AUTO_BATCH_SIZES, "bf16": {"enabled": "auto"}, "zero_optimization": {"stage": 2}}},
    "zero3": {
        "deepspeed": {
            **AUTO_BATCH_SIZES,
            "bf16": {"enabled": "auto"},
            "zero_optimization": {"stage": 3, "stage3_gather_16bit_weights_on_model_save": True},
        }
    },
}
GRPO_LAYOUTS = ("one", "processes", "two", "server")
TENSOR_PARALLEL = "tensor parallel"


def post_jobs(client: Client, options: argparse.Namespace, name: str) -> list[GpuJob]:
    """Post the jobs of a name."""
    kind, _, how = name.partition(" ")
    if kind == "sft":
        request = ask.build_sft_request(options, 0)
        settings = {**request["settings"], **SHARDINGS[how]}
        return [client.start("train_sft", {**request, **({} if how == "one" else BOTH_GPUS), "settings": settings})]
    if kind == "grpo":
        seeds = (0, 1) if how == "two" else (0,)
        processes = 2 if how == "processes" else 1
        requests = [ask.build_grpo_request(options, seed, options.model, processes=processes) for seed in seeds]
        return [client.start("train_grpo", {**request, "gpus": processes}) for request in requests]
    request = ask.build_generate_request(options, ask.make_held_out_tasks(options.prompts), temperature=0.0)
    return [client.start("generate", request)]


def collect_results(client: Client, options: argparse.Namespace, name: str, jobs: Sequence[GpuJob]) -> dict[str, Any]:
    """Wait for the jobs of a name and return their results. Raises JobFailed."""
    began = time.monotonic()
    results = []
    for job in jobs:
        now = ask.wait_for_job(client, job)
        results.append({**(now.result or {}), "curve": ask.read_progress(options.url, job.id)})
        say(f"{name}: {now.result}")
    record: dict[str, Any] = {"jobs": results, "waited_s": round(time.monotonic() - began, 1)}
    if name == TENSOR_PARALLEL and options.compare_url:
        try:
            record["same_as_one_gpu"] = asyncio.run(_compare_outputs(client, options, jobs[0]))
        except httpx.HTTPError as error:
            record["same_as_one_gpu"] = {"failure": f"{type(error).__name__}: {error}"}
    return record


async def _compare_outputs(client: Client, options: argparse.Namespace, job: GpuJob) -> dict[str, Any]:
    """Compare the texts with those of a server on one GPU: how many are equal, and how long the common prefixes are."""
    drawn = {
        event.data["prompt"]: event.data["completions"][0]
        for event in client.events(job.id)
        if event.event == "completion"
    }
    tasks = ask.make_held_out_tasks(options.prompts)
    async with httpx.AsyncClient(timeout=300) as http:
        await _wait_for_server(http, options.compare_url)

        async def complete(messages: list[dict[str, str]]) -> str:
            body = {
                "model": options.compare_model,
                "messages": messages,
                "temperature": 0.0,
                "max_tokens": options.max_tokens,
            }
            answer = await http.post(f"{options.compare_url}/chat/completions", json=body)
            return str(answer.json()["choices"][0]["message"]["content"])

        others = await asyncio.gather(*(complete(ask.build_messages(task)) for task in tasks))
    pairs = [(drawn[index], other) for index, other in enumerate(others)]
    return {
        "prompts": len(pairs),
        "same": sum(complete == other for complete, other in pairs),
        "mean_common_share": sum(_compute_common_prefix(complete, other) for complete, other in pairs) / len(pairs),
        "example": drawn[0][:400],
    }


async def _wait_for_server(http: httpx.AsyncClient, url: str) -> None:
    """Wait for a server that is starting."""
    deadline = time.monotonic() + SERVER_TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            await http.get(f"{url}/models")
            return
        await asyncio.sleep(1.0)


def _compute_common_prefix(one: str, other: str) -> float:
    """Return the length of the common prefix as a share of the longer text."""
    longest = max(len(one), len(other), 1)
    shortest = min(len(one), len(other))
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), shortest) / longest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*(f"sft {how}" for how in SHARDINGS), *(f"grpo {how}" for how in GRPO_LAYOUTS), TENSOR_PARALLEL]
    parser.add_argument("names", nargs="+", choices=names)
    parser.add_argument(
        "--compare-url", default="", help="for tensor parallel: an OpenAI-compatible URL to compare with"
    )
    parser.add_argument("--compare-model", default="", help="name of the same model at --compare-url")
    ask.add_options(parser)
    options = parser.parse_args()
    failures = []
    with Client(options.url) as client:
        jobs = {name: post_jobs(client, options, name) for name in options.names}
        for name, of_name in jobs.items():
            try:
                record = collect_results(client, options, name, of_name)
            except JobFailed as failure:
                failures.append(f"{name}: {failure}")
                record = {"failure": str(failure)}
                say(failures[-1])
            ask.write_json(options.out, RESULTS_FILE, {**ask.read_json(options.out, RESULTS_FILE), name: record})
    if failures:
        raise SystemExit("\n".join(failures))


if __name__ == "__main__":
    main()
