"""Hand a GRPO job over to verl on Ray: `python -m sandbox.gpu.train_verl FOLDER`.

verl's own entry point is run with the overrides in the folder, and its file of metrics is read for the step it is at:
its console comes through Ray, which adds to the lines and may lose the last ones. What it keeps is verl's to resume
from (`trainer.resume_mode=auto`), so a job that is tried again goes on. At the end the model of its last checkpoint
becomes the job's.
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

from sandbox.gpu.children import ends_with_its_parent
from sandbox.gpu.folder import JobFolder
from sandbox.gpu.recipes import DATA_SOURCE, METRICS, OVERRIDES
from sandbox.schema.gpu import GrpoRequest, Progress

MAIN = "verl.trainer.main_ppo"
LOOK_S = 0.5
PASS_RATE = f"val-core/{DATA_SOURCE}/acc/mean@"
LATEST = "latest_checkpointed_iteration.txt"
# verl takes flash attention for granted; without the package the model would not load.
WITHOUT_FLASH_ATTENTION = {
    "+actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
    "actor_rollout_ref.model.use_remove_padding": "False",
}
# TRL 1.x has not what verl 0.9 imports from any TRL it finds.
BESIDE_TRL = {
    "+ray_kwargs.ray_init.runtime_env.env_vars.VERL_USE_EXTERNAL_MODULES": "sandbox.gpu.verl_beside_trl",
}


class Metrics:
    """What verl writes of each step, as a job's progress."""

    def __init__(self, folder: JobFolder, total: int) -> None:
        self._folder = folder
        self._path = folder.path / METRICS
        self._path.unlink(missing_ok=True)
        self._total = total
        self._read = 0
        self.held_out: dict[int, float] = {}

    def look(self) -> None:
        """Tell what was written since the last look."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in map(json.loads, whole.splitlines()):
            progress = progress_of(line["step"], line["data"], self._total)
            if progress.pass_rate is not None:
                self.held_out[progress.step] = progress.pass_rate
            self._folder.tell(progress, **timing_of(line["data"]))


def main(folder: JobFolder) -> int:
    request = GrpoRequest.model_validate(folder.order()["request"])
    overrides = json.loads((folder.path / OVERRIDES).read_text(encoding="utf-8"))
    if importlib.util.find_spec("flash_attn") is None:
        overrides += left_out(overrides, WITHOUT_FLASH_ATTENTION)
    if importlib.util.find_spec("trl") is not None:
        overrides += left_out(overrides, BESIDE_TRL)
    metrics = Metrics(folder, request.steps)
    resumed_from = latest_step(folder)
    code = run([sys.executable, "-m", MAIN, *overrides], metrics)
    if code == 0:
        before, after = (metrics.held_out.get(step) for step in (0, request.steps))
        folder.finish(
            {
                "backend": "verl",
                **({"model": f"job:{folder.path.name}"} if keep_model(folder) else {}),
                "steps": latest_step(folder),
                "held_out_before": before,
                "held_out_after": after,
                "resumed_from": resumed_from,
                "checkpoints": str(folder.checkpoints),
            }
        )
    return code


def run(command: Sequence[str], metrics: Metrics) -> int:
    """Run it and tell what it does. It is ended politely, whatever ends this process: Ray has processes to end."""
    process = subprocess.Popen(command, preexec_fn=ends_with_its_parent(signal.SIGTERM))
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while process.poll() is None:
        metrics.look()
        time.sleep(LOOK_S)
    metrics.look()
    return process.returncode


def progress_of(step: int, data: Mapping[str, Any], total: int) -> Progress:
    """One line of verl's metrics. The reward is the mean score; step 0 has what was held out, before training."""
    step_s = data.get("perf/time_per_step")
    pass_rate = next((value for name, value in data.items() if name.startswith(PASS_RATE)), None)
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


def timing_of(data: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of a step, and of drawing its completions, verdicts included: they are asked for on the way."""
    names = {"step_s": "timing_s/step", "generate_s": "timing_s/gen"}
    return {name: data[its] for name, its in names.items() if its in data}


def left_out(overrides: Sequence[str], defaults: Mapping[str, str]) -> list[str]:
    """Those of `defaults` that no override names."""
    named = {override.partition("=")[0].lstrip("+~") for override in overrides}
    return [f"{name}={value}" for name, value in defaults.items() if name.lstrip("+") not in named]


def latest_step(folder: JobFolder) -> int:
    """The step of the last checkpoint that was written to its end; 0 without one."""
    path = folder.checkpoints / LATEST
    return int(path.read_text()) if path.exists() else 0


def keep_model(folder: JobFolder) -> bool:
    """Make the last checkpoint's model the job's. False where there is none: it may be on another host's disk."""
    made = folder.checkpoints / f"global_step_{latest_step(folder)}" / "actor" / "huggingface"
    if not any(made.glob("*.safetensors")):
        return False
    shutil.rmtree(folder.model, ignore_errors=True)
    made.rename(folder.model)
    return True


if __name__ == "__main__":
    sys.exit(main(JobFolder(Path(sys.argv[1]))))
