"""The environment of a GPU worker's child processes, and the ports they listen on."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import sandbox

HOST = "127.0.0.1"
SITE_PACKAGES_NAMES = {"site-packages", "dist-packages"}


def is_offline(environment: Mapping[str, str]) -> bool:
    """Return whether this environment keeps a process from contacting the model hub."""
    return environment.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def build_environment(gpus: Sequence[int]) -> dict[str, str]:
    """Return the environment of a child that may use only these GPUs, and that can import this package."""
    environment = dict(os.environ)
    source = Path(sandbox.__file__).resolve().parent.parent
    if source.name not in SITE_PACKAGES_NAMES:  # a checkout, which the child's interpreter may not have installed
        rest = environment.get("PYTHONPATH", "")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(source), rest)))
    return {**environment, "CUDA_VISIBLE_DEVICES": ",".join(map(str, gpus))}


def find_free_port() -> int:
    """Return a port that nothing listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
