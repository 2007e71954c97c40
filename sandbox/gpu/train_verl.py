"""Hand a GRPO job over to verl on Ray: `python -m sandbox.gpu.train_verl FOLDER`.

verl's own entry point is run with the overrides in the folder, and its console log is read for the step it is at. What
it keeps is verl's to resume from (`trainer.resume_mode=auto`), so a job that is tried again goes on.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from sandbox.gpu.folder import JobFolder
from sandbox.schema.gpu import GrpoRequest, Progress

MAIN = "verl.trainer.main_ppo"
_VALUE = re.compile(r"(?P<name>[\w/@.-]+):(?:np\.float64\()?(?P<value>-?\d+(?:\.\d+)?(?:e-?\d+)?)")


def main(folder: JobFolder) -> int:
    request = GrpoRequest.model_validate(folder.order()["request"])
    overrides = (folder.path / "overrides.txt").read_text(encoding="utf-8").splitlines()
    last = 0
    with subprocess.Popen(
        [sys.executable, "-m", MAIN, *overrides], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            progress = progress_of(line, request.steps)
            if progress is not None:
                last = progress.step
                folder.tell(progress)
    if process.returncode == 0:
        folder.finish({"backend": "verl", "steps": last, "checkpoints": str(folder.checkpoints)})
    return process.returncode


def progress_of(line: str, total: int) -> Progress | None:
    """What verl's console logger says of a step: `step:3 - critic/score/mean:0.41 - ...`; None for other lines."""
    values = {found["name"]: float(found["value"]) for found in _VALUE.finditer(line)}
    if "step" not in values or " - " not in line:
        return None
    return Progress(
        step=int(values["step"]),
        total=total,
        loss=values.get("actor/pg_loss"),
        reward=values.get("critic/score/mean"),
        tokens_per_s=values.get("perf/throughput"),
    )


if __name__ == "__main__":
    sys.exit(main(JobFolder(Path(sys.argv[1]))))
