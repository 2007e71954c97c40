"""The README's first command, run unchanged: from a checkout without an environment to verdicts, and back."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from sandbox.box.docker.leftovers import HOME_LABEL

ROOT = Path(__file__).resolve().parents[2]
IGNORED_FILES = shutil.ignore_patterns(".*", "__pycache__", "tests", "results", "*.egg-info")
SECOND_RUN_S = 60.0  # it takes seconds; the machine may be busy

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.timeout(600)]


class Checkout:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.home = folder / "home"
        shutil.copytree(ROOT, self.root, ignore=IGNORED_FILES)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def run_up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
        environment = {**kept, "SANDBOX_HOME": str(self.home), "SANDBOX_PORT": str(self.port), "SANDBOX_SLOTS": "1"}
        return subprocess.run(
            ["sh", "deploy/up.sh", *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def checkout(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Checkout]:
    assert images
    if os.geteuid() != 0:
        pytest.skip("up.sh may have to install packages, which needs root")
    with tempfile.TemporaryDirectory(prefix="up-") as folder:  # short: a socket path has at most 107 bytes
        made = Checkout(Path(folder))
        yield made
        made.run_up("stop")


def test_one_command_from_a_checkout_to_verdicts(checkout: Checkout, docker_client: docker.DockerClient) -> None:
    first = checkout.run_up()
    assert first.returncode == 0, first.stdout + first.stderr
    steps = [line for line in first.stdout.splitlines() if line.startswith("==> ")]
    assert [step.split(":")[0] for step in steps if "python" in step] == ["==> python", "==> python"]
    for verdict in ("accepted", "wrong_answer", "runtime_error", "time_limit_exceeded", "memory_limit_exceeded"):
        assert verdict in first.stdout
    assert f"The service runs at http://127.0.0.1:{checkout.port}" in first.stdout
    assert first.stdout.split("Next:")[1].count("\n    ") == 3

    began = time.monotonic()
    second = checkout.run_up()
    assert second.returncode == 0, second.stdout + second.stderr
    assert time.monotonic() - began < SECOND_RUN_S
    assert not [word for word in ("installing", "making", "starting", "building") if word in second.stdout]

    stopped = checkout.run_up("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert not docker_client.containers.list(
        all=True, ignore_removed=True, filters={"label": f"{HOME_LABEL}={checkout.home}"}
    )
    assert str(checkout.home) not in Path("/proc/self/mounts").read_text()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", checkout.port)) != 0
