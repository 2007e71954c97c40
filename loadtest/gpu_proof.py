"""Run and plot the whole training loop on a real GPU, using a running service and a GPU worker.

    python -m loadtest.gpu_proof generate --model NAME      tokens per second with and without verdicts, and the overlap
    python -m loadtest.gpu_proof sft --model NAME           fine-tuning on tasks and their solutions, three seeds
    python -m loadtest.gpu_proof grpo                       held-out pass rate before and after, from those models
    python -m loadtest.gpu_proof grpo --wrong 0.05 --wrong 0.2   the same with shares of wrong labels
    python -m loadtest.gpu_proof evaluate --rows-file FILE  pass@k of a benchmark in HumanEval's format
    python -m loadtest.gpu_proof picture                    plot the JSON results of the other commands

The service is at --url. To run everything on one GPU, with a model small enough for five processes, start the worker as
`SANDBOX_GPU_SERVERS=1 sandbox gpu-worker --gpus 0,0,0,0,0 --workers 5`: one serves, four train. `loadtest.gpu_pair`
measures two GPUs together.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx

from loadtest import gpu_requests as ask
from loadtest.gpu_requests import JobFailed, say, write_json
from sandbox.client import Client
from sandbox.gpu.training.toy_tasks import ToyTask
from sandbox.schema.gpu import GpuJob

SEEDS = (0, 1, 2)


def run_generate(options: argparse.Namespace) -> None:
    """Compare bare requests and a job with verdicts, in the order A B B A, so that drift affects both equally.

    If several servers share the work, also measures one of them alone, first and last.
    """
    tasks = ask.make_held_out_tasks(options.prompts)
    runs: dict[str, list[dict[str, Any]]] = {"bare": [], "verified": []}
    with Client(options.url) as client:
        began = time.monotonic()
        warm = _run_generation(client, options, tasks[:64])
        say(f"engine ready after {time.monotonic() - began:.1f} s: {warm}")
        if warm["lost_verdicts"]:
            raise SystemExit(f"{warm['lost_verdicts']} verdicts are lost: fix the service first")
        order = ["bare", "verified", "verified", "bare"][: options.runs]
        if len(warm["served_by"]) > 1 and options.runs == 4:
            runs["bare_one_server"] = []
            order = ["bare_one_server", *order, "bare_one_server"]
        for kind in order:
            if kind == "bare":
                run = asyncio.run(_run_bare(warm["served_by"], options, tasks))
            elif kind == "bare_one_server":
                run = asyncio.run(_run_bare(warm["served_by"][:1], options, tasks))
            else:
                run = _run_generation(client, options, tasks)
            say(f"{kind}: {run}")
            runs[kind].append(run)
            write_json(options.out, "generate.json", {**_summarize(runs), "warm_up": warm, "runs": runs})


def _summarize(runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    def compute_speed(kind: str) -> float:
        of_kind = runs[kind]
        return sum(run["tokens"] for run in of_kind) / sum(run["generate_s"] for run in of_kind) if of_kind else 0.0

    figures: dict[str, Any] = {
        "bare_tokens_per_s": compute_speed("bare"),
        "verified_tokens_per_s": compute_speed("verified"),
    }
    if runs["bare"] and runs["verified"]:
        figures["ratio"] = compute_speed("verified") / compute_speed("bare")
    if runs.get("bare_one_server") and runs["bare"]:
        figures["bare_one_server_tokens_per_s"] = compute_speed("bare_one_server")
        figures["speed_up_of_more_servers"] = compute_speed("bare") / compute_speed("bare_one_server")
    if runs["verified"]:
        figures["last_token_to_last_verdict_s"] = max(run["last_token_to_last_verdict_s"] for run in runs["verified"])
        figures["verdicts_per_s"] = max(run["verdicts_per_s"] for run in runs["verified"])
        figures["overlap"] = min(run["overlap"] for run in runs["verified"])
        figures["pass_rate"] = sum(run["pass_rate"] for run in runs["verified"]) / len(runs["verified"])
    return figures


def _run_generation(client: Client, options: argparse.Namespace, tasks: list[ToyTask]) -> dict[str, Any]:
    """Run one job with verdicts."""
    job = ask.wait_for_job(client, client.start("generate", ask.build_generate_request(options, tasks)))
    return dict(job.result or {})


async def _run_bare(urls: list[str], options: argparse.Namespace, tasks: list[ToyTask]) -> dict[str, Any]:
    """Send the same requests directly to the servers, and ignore the responses."""
    limits = httpx.Limits(max_connections=None)
    began = time.monotonic()
    tokens = 0
    model = (await _list_models(urls[0]))[0]
    async with httpx.AsyncClient(timeout=600, limits=limits) as http:

        async def complete(index: int, task: ToyTask) -> int:
            body = {
                "model": model,
                "messages": ask.build_messages(task),
                "n": options.n,
                "temperature": 1.0,
                "max_tokens": options.max_tokens,
            }
            answer = await http.post(f"{urls[index % len(urls)]}/chat/completions", json=body)
            return int(answer.json()["usage"]["completion_tokens"])

        tokens = sum(await asyncio.gather(*(complete(index, task) for index, task in enumerate(tasks))))
    generate_s = time.monotonic() - began
    return {"tokens": tokens, "generate_s": round(generate_s, 3), "tokens_per_s": round(tokens / generate_s, 1)}


async def _list_models(url: str) -> list[str]:
    async with httpx.AsyncClient() as http:
        return [model["id"] for model in (await http.get(f"{url}/models")).json()["data"]]


def run_sft(options: argparse.Namespace) -> None:
    """Fine-tune with each seed, in parallel as far as there are workers."""
    with Client(options.url) as client:
        jobs = {
            str(seed): client.start(
                "train_sft", {**ask.build_sft_request(options, seed), "probe": ask.build_probe(options)}
            )
            for seed in SEEDS[: options.seeds]
        }
        _save_results(client, options, "sft.json", jobs)


def run_grpo(options: argparse.Namespace) -> None:
    """Run GRPO on each seed's fine-tuned model with each share of wrong labels, in parallel, and add to the results.

    A failed training only loses its own result.
    """
    tuned = ask.read_json(options.out, "sft.json")
    with Client(options.url) as client:
        jobs = {
            format_training_name(seed, share): client.start(
                "train_grpo", ask.build_grpo_request(options, int(seed), tuned[seed]["model"], share)
            )
            for share in options.wrong or [0.0]
            for seed in list(tuned)[: options.seeds]
        }
        _save_results(client, options, "grpo-late.json" if options.late else "grpo.json", jobs)


def format_training_name(seed: str, wrong: float) -> str:
    """Return the name of a training in `grpo.json`."""
    return f"{seed}, {wrong:.0%} of labels wrong" if wrong else seed


def _save_results(client: Client, options: argparse.Namespace, name: str, jobs: dict[str, GpuJob]) -> None:
    """Save each job's result and curve when it ends. If any job failed, raises JobFailed at the end."""
    results = ask.read_json(options.out, name)
    failures = []
    for seed, job in jobs.items():
        try:
            ended = ask.wait_for_job(client, job)
        except JobFailed as failure:
            failures.append(f"{seed}: {failure}")
            say(failures[-1])
            continue
        results[seed] = {**(ended.result or {}), "curve": ask.read_progress(options.url, job.id)}
        say(f"{name}, {seed}: {ended.result}")
        write_json(options.out, name, dict(sorted(results.items(), key=lambda item: _get_sort_key(item[0]))))
    if failures:
        raise JobFailed("\n".join(failures))


def _get_sort_key(name: str) -> tuple[str, int]:
    seed, _, share = name.partition(", ")
    return share.rjust(40), int(seed)


def run_evaluate(options: argparse.Namespace) -> None:
    """Compute pass@k of a model on a benchmark's rows."""
    rows = [json.loads(line) for line in options.rows_file.read_text(encoding="utf-8").splitlines() if line.strip()]
    request = {
        "model": options.model,
        "rows": rows,
        "shape": options.shape,
        "k": [1, options.n],
        "sampling": {"n": options.n, "temperature": 0.2, "max_tokens": 384},
    }
    with Client(options.url) as client:
        ended = ask.wait_for_job(client, client.start("evaluate", request))
    result = dict(ended.result or {})
    result.pop("problems", None)
    drawn = base64.b64decode(result.pop("picture_base64", ""))
    say(f"evaluation: {result}")
    if drawn:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / f"evaluate-{options.shape}.png").write_bytes(drawn)
    write_json(options.out, f"evaluate-{options.shape}.json", result)


def draw_plots(options: argparse.Namespace) -> None:
    """Plot the pass rates and the reward curves."""
    from loadtest.gpu_plots import draw

    say(f"drawn: {draw(options.out)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["generate", "sft", "grpo", "evaluate", "picture"])
    parser.add_argument("--wrong", type=float, action="append", help="share of wrong labels; may be repeated")
    parser.add_argument("--rows-file", type=Path, help="for evaluate: JSON lines")
    parser.add_argument("--shape", default="humaneval")
    ask.add_options(parser)
    options = parser.parse_args()
    commands = {
        "generate": run_generate,
        "sft": run_sft,
        "grpo": run_grpo,
        "evaluate": run_evaluate,
        "picture": draw_plots,
    }
    try:
        commands[options.command](options)
    except JobFailed as failure:
        raise SystemExit(str(failure)) from None


if __name__ == "__main__":
    main()
