"""The recipe for clusters without Docker and root: the service runs next to a command, and ends with it.

Apptainer is not installable everywhere. In its place, a script runs the same command in a user and mount namespace, as
an ordinary user without capabilities who can gain none. Apptainer gives a container no more than that.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.sandbox_command import find_free_port

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy/slurm/with-sandbox.sh"
UNSHARE = "unshare --user --map-user 12345 --map-group 12345 --mount setpriv --no-new-privs"
APPTAINER = """#!/bin/sh
[ "$1" = run ] && [ "$2" = --bind ] && [ "$4" = image.sif ] || exit 64
shift 4
cd /
exec {unshare} {python} -m sandbox "$@"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of the ordinary user, with the stand-in for Apptainer."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as name:
        path = Path(name)
        (path / "apptainer").write_text(APPTAINER.format(unshare=UNSHARE, python=sys.executable))
        (path / "apptainer").chmod(0o755)
        probe = [*UNSHARE.split(), sys.executable, "-c", "import sandbox, rq"]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        done = subprocess.run(probe, cwd="/", env=environment, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"an ordinary user cannot run the service here: {done.stderr.strip()[-200:]}")
        yield path


def _run(folder: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "SANDBOX_IMAGE": "image.sif",
        "SANDBOX_PORT": str(find_free_port()),
        "SLURM_JOB_ID": "7",
        "SLURM_CPUS_PER_TASK": "2",
        **settings,
    }
    whole = ["sh", str(SCRIPT), *command]
    return subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_a_command_finds_the_service_which_ends_with_it(folder: Path) -> None:
    program = """
import os
from sandbox.client import Client
with Client(os.environ["SANDBOX_URL"]) as client:
    print(client.execute({"language": "python", "code": "print(6 * 7)"}).stdout, os.environ["SANDBOX_SLOTS"])
raise SystemExit(3)
"""
    done = _run(folder, sys.executable, "-c", program)
    assert (done.returncode, done.stdout.split()) == (3, ["42", "1"]), done.stderr
    assert not [path for path in folder.iterdir() if path.name.startswith("sandbox-")]


def test_a_service_that_does_not_start_is_an_error_with_its_log(folder: Path) -> None:
    done = _run(folder, "true", SANDBOX_SLOTS="many")
    assert done.returncode == 1
    assert "the service is not ready" in done.stderr
    assert "SANDBOX_SLOTS" in done.stderr


def test_without_a_command_the_script_explains_itself(folder: Path) -> None:
    assert "usage:" in _run(folder).stderr


def test_the_apptainer_image_has_what_the_docker_image_has() -> None:
    dockerfile = (ROOT / "deploy/Dockerfile").read_text()
    definition = (ROOT / "deploy/slurm/sandbox.def").read_text()
    installed = re.findall(r"--no-install-recommends ([\w+ -]+?)(?: \\)?$", dockerfile, re.M)
    [packages] = re.findall(r"--no-install-recommends ([\w+ -]+)$", definition, re.M)
    assert set(packages.split()) == set(" ".join(installed).split())
    for name in re.findall(r"^    ([\w.]+) /src/$", definition, re.M):
        assert (ROOT / name).exists(), name
    assert dict(re.findall(r"(MALLOC_\w+_)=(\d+)", definition)) == dict(re.findall(r"(MALLOC_\w+_)=(\d+)", dockerfile))
