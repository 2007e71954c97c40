"""The timing of a training says how long its steps waited for verdicts, and how many slots would be enough."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sandbox.gpu.job_dir import JobDir
from sandbox.schema.gpu import Progress
from tests.virtualenvs import ROOT

# The module needs transformers, which is not installed here; only its callback class uses it.
SCRIPT = """
import json, sys, types
from pathlib import Path

transformers = types.ModuleType("transformers")
transformers.TrainerCallback = object
sys.modules["transformers"] = transformers
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training import reporting

timing = reporting.summarize_timing(JobDir(Path(sys.argv[1])), 10, reporting.Slots(int(sys.argv[2]), 2))
print(json.dumps([timing, reporting.advise_slots(timing)]))
"""


def _summarize(folder: Path, slots: int) -> list[object]:
    import json

    printed = subprocess.check_output(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder), str(slots)], cwd=ROOT, text=True
    )
    summary: list[object] = json.loads(printed)
    return summary


def test_a_warning_names_the_slots_that_would_be_enough(tmp_path: Path) -> None:
    job_dir = JobDir(tmp_path)
    for step in range(1, 4):
        more = {"step_s": 2.0, "generate_s": 1.0, "verdict_s": 0.24, "early_share": 0.5, "early_asked_share": 1.0}
        job_dir.append_progress(Progress(step=step, total=3), **more)
    timing, advice = _summarize(tmp_path, 8)
    assert timing == pytest.approx(
        {
            **{"step_s": 2.0, "generate_s": 1.0, "verdict_s": 0.24, "verdict_share": 0.12},
            **{"slots": 8, "slots_needed": 38, "early_share": 0.5, "early_asked_share": 1.0},
        }
    )
    assert advice == "12% of each step waits for verdicts on 8 slots; 38 slots would bring it to 3%"
    timing, advice = _summarize(tmp_path, 0)
    assert isinstance(timing, dict)
    assert "slots" not in timing
    assert advice == ""
