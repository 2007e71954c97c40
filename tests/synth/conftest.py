"""The environment of a run: a scripted model, the real service over HTTP, and the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox.api.app import create_app
from sandbox.cli import app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.synth.scripted_model import ScriptedModel, serve_scripted_model
from tests.virtualenvs import ROOT

EXAMPLES = (
    "import heapq\na = list(map(int, input().split()))\nheapq.heapify(a)\nprint(heapq.heappop(a))",
    "dp = [1, 1]\nfor i in range(2, int(input())):\n    dp.append((dp[-1] + dp[-2]) % 7)\nprint(dp[-1])",
)
COMMAND_TIMEOUT_S = 100


@pytest.fixture(scope="session")
def url(live_service: Service, redis_server: RedisServer, home: Path) -> Iterator[str]:
    """The API uses the session's workers, with its own service object."""
    assert live_service.check_readiness().ready
    folder = home / "synth"
    folder.mkdir(exist_ok=True)
    with serve_in_thread(create_app(ApiSettings(home=folder, redis_url=redis_server.build_url()))) as url:
        yield url


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """A scripted model that rejects every eleventh request at first."""
    with serve_scripted_model(fail_every=11) as server:
        yield server


@dataclass(frozen=True)
class CommandLine:
    """Runs `sandbox` like a user."""

    environment: dict[str, str]

    def start(self, *words: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "sandbox", *map(str, words)],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run_failing(self, *words: str | Path) -> str:
        """Return what a failing command prints to stderr."""
        process = self.start(*words)
        _, errors = process.communicate(timeout=COMMAND_TIMEOUT_S)
        assert process.returncode
        return errors.decode()

    def __call__(self, *words: str | Path) -> str:
        """Return what a command prints. Runs it in this process, because a new one takes seconds to start."""
        done = CliRunner().invoke(app, list(map(str, words)), env=self.environment)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.stdout


@pytest.fixture
def sandbox(url: str, tmp_path: Path) -> CommandLine:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    return CommandLine({**inherited, "SANDBOX_URL": url, "SANDBOX_HOME": str(tmp_path), "PYTHONWARNINGS": "error"})


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]
