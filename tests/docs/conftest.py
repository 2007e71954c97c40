"""A service for the examples, started and stopped from the command line like a user's, with its own home and port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.box.docker.leftovers import remove_boxes

ROOT = Path(__file__).resolve().parents[2]
WEBHOOK_SECRET = "whsec_" + "dGhlIGV4YW1wbGVzIG9mIHRoZSBndWlkZSBrbm93IGl0"
SANDBOX_SCRIPT = f'#!/bin/sh\nexec "{sys.executable}" -m sandbox "$@"\n'


@dataclass(frozen=True, slots=True)
class RunningService:
    """A running service, and an environment in which `sandbox` and `python3` are the user's commands."""

    url: str
    environment: Mapping[str, str]


@pytest.fixture(scope="module")
def running(images: dict[str, str]) -> Iterator[RunningService]:
    assert images
    with tempfile.TemporaryDirectory(prefix="sandbox-docs-") as folder:
        home, programs = Path(folder) / "home", Path(folder) / "bin"
        programs.mkdir()
        (programs / "sandbox").write_text(SANDBOX_SCRIPT)
        (programs / "sandbox").chmod(0o755)
        port = _find_free_port()
        url = f"http://127.0.0.1:{port}"
        service_settings = {
            "SANDBOX_HOME": str(home),
            "SANDBOX_PORT": str(port),
            "SANDBOX_SLOTS": "1",
            "SANDBOX_SESSIONS": "4",
            "SANDBOX_URL": url,
        }
        service_settings |= {"SANDBOX_WEBHOOK_SECRET": WEBHOOK_SECRET, "SANDBOX_WEBHOOK_NETWORKS": "127.0.0.1"}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
        path = f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**inherited, **service_settings, "PATH": path, "PYTHONPATH": str(ROOT)}
        try:
            _run_sandbox("up", "--detach", environment=environment)
            yield RunningService(url, environment)
        finally:
            _run_sandbox("down", environment=environment)
        assert remove_boxes(home) == 0, "`sandbox down` left boxes"


def _run_sandbox(*arguments: str, environment: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "sandbox", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


def _find_free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
