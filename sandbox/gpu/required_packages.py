"""Check the packages of the GPU workers' interpreter, so that a worker only takes jobs that it can run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping, Sequence

from sandbox.config import GpuSettings
from sandbox.errors import InfrastructureError
from sandbox.gpu.child_environment import build_environment
from sandbox.queue.gpu_jobs import SERVING_LANE, TRAINING_LANE

# Prints the names of missing packages without importing any: vLLM and torch take seconds to import.
FIND_MISSING_SCRIPT = (
    "import importlib.util, sys; print(*(name for name in sys.argv[1:] if not importlib.util.find_spec(name)))"
)
CHECK_TIMEOUT_S = 60.0
# Per lane, groups of packages. One package of each group is required.
Requirements = Mapping[str, Sequence[Sequence[str]]]


def find_missing_by_lane(settings: GpuSettings) -> dict[str, str]:
    """Map each lane whose jobs cannot run here to a message that names the missing packages.

    Raises InfrastructureError.
    """
    needs = list_requirements(settings)
    absent = find_missing_packages(
        settings, sorted({name for groups in needs.values() for group in groups for name in group})
    )
    missing_groups = {lane: [group for group in groups if absent.issuperset(group)] for lane, groups in needs.items()}
    lacks = {
        lane: f"{get_python(settings)} has no {' and no '.join(' or '.join(group) for group in groups)}"
        for lane, groups in missing_groups.items()
        if groups
    }
    if importlib.util.find_spec("openai") is None:  # the worker itself requests completions
        lacks.setdefault(SERVING_LANE, f"{sys.executable} has no openai; run pip install openai")
    return lacks


def select_working_lanes(lanes: Sequence[str], missing_by_lane: Mapping[str, str]) -> tuple[str, ...]:
    """Return the lanes that lack nothing. Raises InfrastructureError if there are none."""
    working = tuple(lane for lane in lanes if lane not in missing_by_lane)
    if not working:
        raise InfrastructureError(
            f"a worker for the lanes {', '.join(lanes)} cannot run any job: "
            f"{'; '.join(missing_by_lane[lane] for lane in lanes)}. "
            "Run pip install '.[gpu]' in a checkout, set SANDBOX_GPU_PYTHON to an interpreter with these packages,"
            " or set SANDBOX_LLM_URL to a model server"
        )
    return working


def list_requirements(settings: GpuSettings) -> Requirements:
    """Return the required packages per lane. With a remote model server, no engine is required."""
    engine = [] if settings.llm_url else [[settings.llm_module.partition(".")[0]]]
    return {SERVING_LANE: engine, TRAINING_LANE: [["torch"], ["trl", "verl"]]}


def find_missing_packages(settings: GpuSettings, names: Sequence[str]) -> set[str]:
    """Return the top-level packages that the interpreter lacks. Raises InfrastructureError."""
    command = [get_python(settings), "-c", FIND_MISSING_SCRIPT, *names]
    try:
        completed = subprocess.run(
            command, env=build_environment(()), capture_output=True, text=True, timeout=CHECK_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise InfrastructureError(f"the GPU workers' interpreter does not run: {error}") from error
    return set(completed.stdout.split())


def get_python(settings: GpuSettings) -> str:
    return settings.gpu_python or sys.executable
