"""Run a GRPO job with verl on Ray: `python -m sandbox.gpu.training.train_verl FOLDER`.

Runs verl's own entry point with the overrides in the folder, and follows its metrics file for progress. The console is
no alternative: it passes through Ray, which alters lines and may lose the last ones. verl resumes from its own
checkpoints (`trainer.resume_mode=auto`), so a retry continues the job. At the end, the model of the last checkpoint
becomes the job's model.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.subprocesses import build_parent_death_hook
from sandbox.gpu.training.verl_config import DATA_SOURCE, METRICS_FILE, OVERRIDES_FILE
from sandbox.schema.gpu import GrpoRequest, Progress

VERL_MODULE = "verl.trainer.main_ppo"
POLL_INTERVAL_S = 0.5
PASS_RATE_METRIC_PREFIX = f"val-core/{DATA_SOURCE}/acc/mean@"
LATEST_STEP_FILE = "latest_checkpointed_iteration.txt"
# verl assumes flash attention; without the package the model would not load.
NO_FLASH_ATTENTION_OVERRIDES = {
    "+actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
    "actor_rollout_ref.model.use_remove_padding": "False",
}
# TRL 1.x lacks what verl 0.9 imports from any installed TRL.
HIDE_TRL_OVERRIDES = {
    "+ray_kwargs.ray_init.runtime_env.env_vars.VERL_USE_EXTERNAL_MODULES": "sandbox.gpu.training.verl_without_trl",
}


class MetricsFollower:
    """Reports verl's metrics as the job's progress."""

    def __init__(self, job_dir: JobDir, total: int) -> None:
        self._job_dir = job_dir
        self._path = job_dir.path / METRICS_FILE
        self._path.unlink(missing_ok=True)
        self._total = total
        self._offset = 0
        self.held_out_pass_rates: dict[int, float] = {}

    def report_new(self) -> None:
        """Report the metrics written since the last call."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in map(json.loads, whole.splitlines()):
            progress = build_progress(line["step"], line["data"], self._total)
            if progress.pass_rate is not None:
                self.held_out_pass_rates[progress.step] = progress.pass_rate
            self._job_dir.append_progress(progress, **extract_timing(line["data"]))


def main(job_dir: JobDir) -> int:
    request = GrpoRequest.model_validate(job_dir.read_order()["request"])
    overrides = json.loads((job_dir.path / OVERRIDES_FILE).read_text(encoding="utf-8"))
    if importlib.util.find_spec("flash_attn") is None:
        overrides += select_unset(overrides, NO_FLASH_ATTENTION_OVERRIDES)
    if importlib.util.find_spec("trl") is not None:
        overrides += select_unset(overrides, HIDE_TRL_OVERRIDES)
    metrics = MetricsFollower(job_dir, request.steps)
    resumed_from = read_latest_step(job_dir)
    code = run_verl([sys.executable, "-m", VERL_MODULE, *overrides], metrics)
    if code == 0:
        before, after = (metrics.held_out_pass_rates.get(step) for step in (0, request.steps))
        job_dir.write_result(
            {
                "backend": "verl",
                **({"model": f"job:{job_dir.path.name}"} if adopt_checkpoint_model(job_dir) else {}),
                "steps": read_latest_step(job_dir),
                "held_out_before": before,
                "held_out_after": after,
                "resumed_from": resumed_from,
                "checkpoints": str(job_dir.checkpoints),
            }
        )
    return code


def run_verl(command: Sequence[str], metrics: MetricsFollower) -> int:
    """Run verl and report its progress. However this process ends, verl gets SIGTERM so that it stops Ray."""
    process = subprocess.Popen(command, preexec_fn=build_parent_death_hook(signal.SIGTERM))
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while process.poll() is None:
        metrics.report_new()
        time.sleep(POLL_INTERVAL_S)
    metrics.report_new()
    return process.returncode


def build_progress(step: int, data: Mapping[str, Any], total: int) -> Progress:
    """Convert one line of verl's metrics. The reward is the mean score; step 0 is the evaluation before training."""
    step_s = data.get("perf/time_per_step")
    pass_rate = next((value for name, value in data.items() if name.startswith(PASS_RATE_METRIC_PREFIX)), None)
    return Progress(
        step=step,
        total=total,
        loss=data.get("actor/pg_loss"),
        reward=data.get("critic/score/mean"),
        pass_rate=pass_rate,
        tokens_per_s=data.get("perf/throughput"),
        eta_s=None if step_s is None else round(step_s * (total - step), 1),
        message="" if pass_rate is None else "held out",
    )


def extract_timing(data: Mapping[str, Any]) -> dict[str, float]:
    """Return the seconds of a step and of generation. Generation includes verdicts, which verl requests meanwhile."""
    names = {"step_s": "timing_s/step", "generate_s": "timing_s/gen"}
    return {name: data[its] for name, its in names.items() if its in data}


def select_unset(overrides: Sequence[str], defaults: Mapping[str, str]) -> list[str]:
    """Return the `defaults` that no override sets."""
    named = {override.partition("=")[0].lstrip("+~") for override in overrides}
    return [f"{name}={value}" for name, value in defaults.items() if name.lstrip("+") not in named]


def read_latest_step(job_dir: JobDir) -> int:
    """Return the step of the last complete checkpoint, or 0 if there is none."""
    path = job_dir.checkpoints / LATEST_STEP_FILE
    return int(path.read_text()) if path.exists() else 0


def adopt_checkpoint_model(job_dir: JobDir) -> bool:
    """Move the last checkpoint's model to the job's directory. Return False if this host does not have it."""
    checkpoint_model = job_dir.checkpoints / f"global_step_{read_latest_step(job_dir)}" / "actor" / "huggingface"
    if not any(checkpoint_model.glob("*.safetensors")):
        return False
    shutil.rmtree(job_dir.model, ignore_errors=True)
    checkpoint_model.rename(job_dir.model)
    return True


if __name__ == "__main__":
    sys.exit(main(JobDir(Path(sys.argv[1]))))
