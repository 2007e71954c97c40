"""The two commands: each step checks first, says what it does, and says what to do when it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "deploy").rglob("*.sh"))

# Replaces the virtual environment's interpreter and the console script, and records how it is called.
STUB = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >>"$CALLS"
case "$*" in
*urllib.request*) [ -e "$CALLS.running" ] ;;
*docker.from_env*) exit 1 ;;
"up --detach") : >"$CALLS.running" ;;
esac
"""


class Machine:
    """A checkout with the deployment scripts, and an environment of stubs."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "checkout"
        self.calls_file = folder / "calls"
        shutil.copytree(ROOT / "deploy", self.root / "deploy")
        for name in ("pyproject.toml", "requirements.lock", "requirements-test.lock", "requirements-uv.lock"):
            shutil.copy(ROOT / name, self.root)
        programs = self.root / ".venv" / "bin"
        programs.mkdir(parents=True)
        for name in ("python", "sandbox"):
            (programs / name).write_text(STUB)
            (programs / name).chmod(0o755)

    def run_shell(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SANDBOX_", "DOCKER_"))}
        return subprocess.run(
            ["sh", *command],
            cwd=self.root,
            env={**kept, "CALLS": str(self.calls_file), "SANDBOX_HOME": str(self.root / "state"), **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def run_sourced(self, commands: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run_shell("-euc", f"root={self.root}; . deploy/machine.sh; {commands}", **environment)

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_script_is_plain_sh(script: Path) -> None:
    done = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_no_script_has_a_known_fault(script: Path) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    done = subprocess.run(["shellcheck", "-x", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_ci_runs_the_command_that_people_run() -> None:
    ci = ROOT / ".ci" / "run"
    assert ci.read_text().splitlines()[1:] == ["exec sh deploy/test.sh"]
    assert os.access(ci, os.X_OK)


def test_an_unknown_command_says_which_there_are(machine: Machine) -> None:
    done = machine.run_shell("deploy/up.sh", "sideways")
    assert done.returncode == 1
    assert "up.sh [stop]" in done.stderr


def test_the_local_engine_is_used_when_chosen_and_its_missing_isolation_is_reported(machine: Machine) -> None:
    done = machine.run_shell("deploy/up.sh", SANDBOX_ENGINE="local")
    assert done.returncode == 0, done.stderr
    assert "missing: the container's own memory, process and CPU limits" in done.stderr
    assert [call for call in machine.calls if call.startswith("sandbox ")] == ["sandbox up --detach", "sandbox demo"]
    assert done.stdout.count("\n    ") == 3


def test_where_no_engine_can_be_had_it_is_said_and_the_local_engine_taken(machine: Machine) -> None:
    done = machine.run_shell("deploy/up.sh", DOCKER_HOST="unix:///nonexistent/docker.sock")
    assert done.returncode == 0, done.stderr
    assert "nothing answers at DOCKER_HOST" in done.stdout
    assert "LOCAL engine" in done.stderr
    assert "sandbox images build" not in machine.calls


def test_a_second_run_installs_and_starts_nothing(machine: Machine) -> None:
    machine.run_shell("deploy/up.sh", SANDBOX_ENGINE="local")
    first = len(machine.calls)
    done = machine.run_shell("deploy/up.sh", SANDBOX_ENGINE="local")
    again = machine.calls[first:]
    assert "up to date" in done.stdout
    assert not any("packages.py" in call or call == "sandbox up --detach" for call in again)
    assert "sandbox demo" in again


def test_a_changed_lock_is_installed(machine: Machine) -> None:
    machine.run_sourced("ensure_package requirements.lock")
    with (machine.root / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    before = len(machine.calls)
    machine.run_sourced("ensure_package requirements.lock")
    assert any("packages.py" in call and "--require-hashes" in call for call in machine.calls[before:])


def test_a_failed_step_shows_its_output_and_what_to_do(machine: Machine) -> None:
    (machine.root / ".venv" / "bin" / "python").write_text(
        '#!/bin/sh\n[ "$1" = -c ] || { echo no such index; exit 1; }\n'
    )
    done = machine.run_shell("deploy/up.sh", SANDBOX_ENGINE="local")
    assert done.returncode == 1
    assert "no such index" in done.stderr
    assert "what to do: check that pip reaches its package index" in done.stderr


def test_a_python_that_is_too_old_is_passed_over(machine: Machine, tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = machine.run_sourced("find_python", PYTHON=str(old))
    assert done.returncode == 0
    assert "old-python" not in done.stdout


def test_stop_takes_the_service_down_and_leaves_an_engine_it_did_not_start(machine: Machine) -> None:
    done = machine.run_shell("deploy/up.sh", "stop")
    assert done.returncode == 0, done.stderr
    assert "sandbox down" in machine.calls
    assert "dockerd" not in done.stdout


def test_stop_spares_a_process_that_has_the_engine_s_old_number(machine: Machine) -> None:
    state = machine.root / "state"
    state.mkdir()
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        (state / "dockerd.pid").write_text(f"{bystander.pid}\n")
        done = machine.run_shell("deploy/up.sh", "stop")
        assert done.returncode == 0, done.stderr
        assert bystander.poll() is None
        assert not (state / "dockerd.pid").exists()
    finally:
        bystander.kill()
        bystander.wait()
