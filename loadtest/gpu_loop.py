"""Measure `sandbox loop` on a GPU host: its time, the use of the GPU in each step, and the waiting for verdicts.

    python -m loadtest.gpu_loop --recipe warm-engine --model NAME --general HUMANEVAL.jsonl --out FOLDER

A service and a GPU worker run at --url. The teacher is the scripted model of the tests, whose solutions are wrong three
times in ten, so that the result does not depend on a large model. FOLDER gets `loop.json`, `loop.png`, the requests,
`gpu.csv` (time, percent, MiB; every half second), the progress of each training and `summary.json`. A step's training
phase begins when its processes have started.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from loadtest.load_generator import MeasurementFailed
from sandbox.gpu.child_environment import HOST, find_free_port

GPU_QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "-lms", "500")
EXAMPLE = "a = list(map(int, input().split()))\nprint(sum(x for x in a if x % 2) % 7)"
TEACHER_PATIENCE_S = 30.0
REUSED_TOLERANCE_S = 1.0
# A sample: seconds since 1970, percent of the time in which the GPU was in use, and MiB of its memory.
Sample = tuple[float, float, float]


def main() -> None:
    options = build_parser().parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    run = options.out / "run"
    with serve_teacher() as teacher_url, sample_gpu(options.out / "gpu.csv"):
        create_run(run, options.tasks, options.solutions, options.seed)
        began = time.time()
        code = run_loop(run, teacher_url, options)
        took_s = time.time() - began
    collect(run, options.out, options.gpu_folder)
    report = json.loads((options.out / "loop.json").read_bytes()) if (options.out / "loop.json").exists() else {}
    summary = summarize(report, read_samples(options.out / "gpu.csv"), began, took_s)
    (options.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(summary, indent=2), flush=True)
    sys.exit(code)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="warm-engine", help="a shipped recipe, or the loop.json of another run")
    parser.add_argument("--model", default="smollm2", help="name in the GPU worker's folder")
    parser.add_argument("--general", type=Path, help="rows of HumanEval")
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--solutions", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--gpu-folder", type=Path, help="the worker's folder, to keep the progress of each training")
    parser.add_argument("--out", type=Path, required=True)
    return parser


@contextlib.contextmanager
def serve_teacher() -> Iterator[str]:
    """Run the scripted teacher in its own process. Raises MeasurementFailed if it does not start."""
    port = find_free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.synth.scripted_model", "--port", str(port)])
    try:
        deadline = time.monotonic() + TEACHER_PATIENCE_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() >= deadline:
                raise MeasurementFailed("the scripted teacher does not start")
            time.sleep(0.1)
        yield f"http://{HOST}:{port}/v1"
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        httpx.get(f"http://{HOST}:{port}/", timeout=1, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


@contextlib.contextmanager
def sample_gpu(path: Path) -> Iterator[None]:
    """Write samples of the GPU to a file, none without nvidia-smi."""
    if shutil.which(GPU_QUERY[0]) is None:
        path.touch()
        yield
        return
    process = subprocess.Popen(GPU_QUERY, stdout=subprocess.PIPE, text=True)

    def copy_lines() -> None:
        assert process.stdout is not None
        with path.open("w", encoding="utf-8") as file:
            for line in process.stdout:
                file.write(f"{time.time():.3f},{line.strip()}\n")
                file.flush()

    thread = threading.Thread(target=copy_lines, daemon=True)
    thread.start()
    try:
        yield
    finally:
        process.terminate()
        process.wait()
        thread.join()


def create_run(folder: Path, tasks: int, solutions: int, seed: int) -> None:
    examples = folder.parent / "examples.jsonl"
    examples.write_text(json.dumps({"code": EXAMPLE}) + "\n", encoding="utf-8")
    words = ["--examples", examples, "--model", "scripted", "--tasks", tasks, "--solutions", solutions, "--seed", seed]
    subprocess.run([sys.executable, "-m", "sandbox", "synth", "new", str(folder), *map(str, words)], check=True)


def run_loop(folder: Path, teacher_url: str, options: argparse.Namespace) -> int:
    """Run the command that a user runs, and return its exit code."""
    command = [sys.executable, "-m", "sandbox", "loop", str(folder), "--llm-url", teacher_url, "--train", options.model]
    command += ["--recipe", options.recipe, "--url", options.url, "--seed", str(options.seed)]
    command += ["--general", str(options.general)] if options.general else []
    return subprocess.run(command).returncode


def collect(run: Path, out: Path, gpu_folder: Path | None) -> None:
    """Copy what a reader needs of a run: the report, the plot, the requests, and the progress of the trainings."""
    for name in ("loop.json", "loop.png"):
        if (run / name).exists():
            shutil.copy(run / name, out / name)
    if (run / "requests").is_dir():
        shutil.copytree(run / "requests", out / "requests", dirs_exist_ok=True)
    if gpu_folder is None or not (out / "loop.json").exists():
        return
    for name, step in json.loads((out / "loop.json").read_bytes())["steps"].items():
        progress = gpu_folder / "jobs" / step.get("job", "none") / "progress.jsonl"
        if progress.exists():
            shutil.copy(progress, out / f"progress_{name.replace(' ', '_')}.jsonl")


def read_samples(path: Path) -> list[Sample]:
    with path.open(encoding="utf-8") as file:
        return [(float(at), float(busy), float(memory)) for at, busy, memory in csv.reader(file)]


def summarize(report: Mapping[str, Any], samples: Sequence[Sample], began: float, took_s: float) -> dict[str, Any]:
    """Return the time of the loop, and of each step its time, start, share of waiting and mean use of the GPU.

    A step with `reused` got the job of an earlier loop with the same request, and cost this loop no time.
    """
    steps: dict[str, dict[str, Any]] = {}
    reused = find_reused(report.get("steps", {}), began + took_s)
    for row in report.get("table", ()):
        step = report["steps"][row["step"]]
        started = step.get("began", began) + (row["waited_s"] or 0.0)
        ended = started + (row["took_s"] or 0.0)
        keys = ("took_s", "waited_s", "start_s", "steps", "verdict_share", "tail_s", "pass@1", "pass@8")
        again = row["step"] in reused
        steps[row["step"]] = {
            **{key: row[key] for key in keys if row.get(key) is not None},
            **({"reused": True} if again else {}),
            "gpu_busy": None if again else compute_use(samples, started + (row["start_s"] or 0.0), ended),
            **({"timing": timing} if (timing := step.get("result", {}).get("timing")) else {}),
        }
    general_s = sum(step["took_s"] for name, step in steps.items() if name.startswith("general") and name not in reused)
    return {
        "took_s": round(took_s, 1),
        "took_without_general_s": round(took_s - general_s, 1),
        "gpu_busy": compute_use(samples, began, began + took_s),
        "steps": steps,
        "data": report.get("data"),
        "plan": report.get("plan"),
        "host": report.get("steps", {}).get("engine", {}).get("result", {}).get("host"),
    }


def find_reused(steps: Mapping[str, Any], ended: float) -> set[str]:
    """Return the steps that took less time in this loop than their job did: an earlier loop made the same request."""
    begins = sorted((step["began"], name) for name, step in steps.items() if "began" in step)
    ends = [began for began, _ in begins[1:]] + [ended]
    return {
        name
        for (began, name), end in zip(begins, ends, strict=True)
        if end - began < steps[name]["took_s"] - REUSED_TOLERANCE_S
    }


def compute_use(samples: Sequence[Sample], start: float, end: float) -> float | None:
    """Return the mean percentage of time in which the GPU was in use, None without samples."""
    inside = [busy for at, busy, _ in samples if start <= at <= end]
    return round(sum(inside) / len(inside), 1) if inside else None


if __name__ == "__main__":
    main()
