"""What the GPU workers' interpreter can do: a worker takes no job that would end in a missing package."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence

from sandbox.config import GpuSettings
from sandbox.errors import InfrastructureError
from sandbox.gpu.engine import environment_on
from sandbox.jobs.gpu_jobs import SERVING, TRAINING

# Prints the names that are no packages there; imports nothing, for vLLM and torch take seconds.
LOOK = "import importlib.util, sys; print(*(name for name in sys.argv[1:] if not importlib.util.find_spec(name)))"
PATIENCE_S = 60.0
# For each lane, groups of packages: one of each group is needed.
Needs = Mapping[str, Sequence[Sequence[str]]]


def lacking(settings: GpuSettings) -> dict[str, str]:
    """For each lane whose jobs cannot be done here, what the interpreter lacks. Raises InfrastructureError."""
    needs = needs_of(settings)
    absent = missing(settings, sorted({name for groups in needs.values() for group in groups for name in group}))
    lacks = {lane: [group for group in groups if absent.issuperset(group)] for lane, groups in needs.items()}
    return {
        lane: f"{python_of(settings)} has no {' and no '.join(' or '.join(group) for group in groups)}"
        for lane, groups in lacks.items()
        if groups
    }


def lanes_that_work(lanes: Sequence[str], lacks: Mapping[str, str]) -> tuple[str, ...]:
    """Those that lack nothing. Raises InfrastructureError where none is left."""
    able = tuple(lane for lane in lanes if lane not in lacks)
    if not able:
        raise InfrastructureError(
            f"a worker for the lanes {', '.join(lanes)} could do no job: {'; '.join(lacks[lane] for lane in lanes)}. "
            "Run pip install '.[gpu]' in a checkout, name an interpreter that has these packages in SANDBOX_GPU_PYTHON,"
            " or a service that generates in SANDBOX_LLM_URL"
        )
    return able


def needs_of(settings: GpuSettings) -> Needs:
    """A service that somebody else runs needs nothing here."""
    engine = [] if settings.llm_url else [[settings.llm_module.partition(".")[0]]]
    return {SERVING: engine, TRAINING: [["torch"], ["trl", "verl"]]}


def missing(settings: GpuSettings, names: Sequence[str]) -> set[str]:
    """Those of the top-level packages that the interpreter does not have. Raises InfrastructureError."""
    command = [python_of(settings), "-c", LOOK, *names]
    try:
        looked = subprocess.run(
            command, env=environment_on(()), capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise InfrastructureError(f"the GPU workers' interpreter does not run: {error}") from error
    return set(looked.stdout.split())


def python_of(settings: GpuSettings) -> str:
    return settings.gpu_python or sys.executable
