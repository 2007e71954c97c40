"""`sandbox up` and `sandbox down`: one tree per home directory, and nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.config import ApiSettings, UpSettings
from sandbox.errors import EngineUnavailable
from sandbox.processes import up
from sandbox.processes.api_address import build_service_url
from sandbox.processes.state_dir import (
    AlreadyRunning,
    LifecycleError,
    find_changed_settings,
    find_running_pid,
    get_pid_file,
    lock_state_dir,
    record_settings,
)
from tests.processes.sandbox_command import (
    ROOT,
    TIMEOUT_S,
    build_environment,
    find_free_port,
    find_processes,
    run_sandbox,
)
from tests.queue.submit_and_wait import wait_until

FIRST_SLOT = 0
KEY_ENTRY = f"trainer:submit:{'0' * 64}"
OWNER_SCRIPT = """
import sys, time
from pathlib import Path
from sandbox.processes.state_dir import lock_state_dir
with lock_state_dir(Path(sys.argv[1])):
    print("owned", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def own_home() -> Iterator[Path]:
    """A home directory for the test. It is short, because a socket's path has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="sandbox-up-") as folder:
        yield Path(folder)


@pytest.fixture
def owner(own_home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the home directory."""
    command = [sys.executable, "-c", OWNER_SCRIPT, str(own_home)]
    process = subprocess.Popen(command, env=build_environment(own_home), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "owned\n"
    yield process
    process.kill()
    process.communicate()


def test_a_home_has_one_owner(own_home: Path, owner: subprocess.Popen[str]) -> None:
    assert find_running_pid(own_home) == owner.pid
    with pytest.raises(AlreadyRunning), lock_state_dir(own_home):
        pass


def test_a_killed_owner_owns_nothing(own_home: Path, owner: subprocess.Popen[str]) -> None:
    owner.kill()
    owner.wait()
    assert find_running_pid(own_home) is None
    with lock_state_dir(own_home):
        pass


def test_looking_does_not_disturb_an_owner_to_be(own_home: Path) -> None:
    with lock_state_dir(own_home):
        pass
    with get_pid_file(own_home).open() as file:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_SH)
        assert find_running_pid(own_home) is None


def test_an_owner_that_is_not_the_process_of_that_number_here_is_never_signalled(
    own_home: Path, owner: subprocess.Popen[str]
) -> None:
    """This happens if the owner runs in another container, where the same pid is another process."""
    get_pid_file(own_home).write_text(f"{owner.pid} 1")
    with pytest.raises(LifecycleError, match="not visible"):
        up.stop(UpSettings(home=own_home, engine="local"))
    assert owner.poll() is None


def test_a_home_that_others_may_write_to_is_refused(own_home: Path) -> None:
    own_home.chmod(0o777)
    with pytest.raises(LifecycleError, match="chmod 700"), lock_state_dir(own_home):
        pass


def test_a_home_that_cannot_be_is_refused() -> None:
    with pytest.raises(LifecycleError, match="SANDBOX_HOME"), lock_state_dir(Path("/proc/nowhere")):
        pass


def test_a_second_up_says_that_one_runs_and_is_content(own_home: Path, owner: subprocess.Popen[str]) -> None:
    for words in (["up"], ["up", "--detach"]):
        done = run_sandbox(own_home, *words)
        assert done.returncode == 0
        assert f"already running on {own_home}, pid {owner.pid}" in done.stderr


def test_a_second_up_with_other_settings_names_them_and_changes_nothing(own_home: Path) -> None:
    started = UpSettings(home=own_home, engine="local", slots=2)
    with lock_state_dir(own_home):
        record_settings(own_home, started.model_dump(mode="json"))
        same = run_sandbox(own_home, "up", "--detach", SANDBOX_ENGINE="local", SANDBOX_SLOTS="2")
        other = run_sandbox(
            own_home, "up", "--detach", "--slots", "3", SANDBOX_ENGINE="local", SANDBOX_API_KEYS=KEY_ENTRY
        )
    assert (same.returncode, f"`SANDBOX_HOME={own_home} sandbox down` stops it" in same.stderr) == (0, True)
    assert other.returncode == 3
    assert "with different settings: SANDBOX_API_KEYS, SANDBOX_SLOTS." in other.stderr
    assert f"`SANDBOX_HOME={own_home} sandbox up --replace` restarts it" in other.stderr


def test_recorded_settings_hold_no_secret(own_home: Path) -> None:
    record_settings(own_home, {"webhook_secret": "whsec_abc", "slots": 2})
    assert "whsec_abc" not in (own_home / "up.settings.json").read_text()
    assert find_changed_settings(own_home, {"webhook_secret": "whsec_abc", "slots": 2}) == []
    assert find_changed_settings(own_home, {"webhook_secret": "whsec_abd", "slots": 2}) == ["webhook_secret"]


def test_a_worker_does_not_share_the_home_of_a_running_service(own_home: Path, owner: subprocess.Popen[str]) -> None:
    done = run_sandbox(own_home, "worker", SANDBOX_ENGINE="local")
    assert done.returncode == 1
    assert f"{own_home} belongs to the service with pid {owner.pid}" in done.stderr


def test_a_worker_without_redis_says_so_in_one_line(own_home: Path) -> None:
    done = run_sandbox(own_home, "worker", "--redis", "redis://:secret@127.0.0.1:9/0", SANDBOX_ENGINE="local")
    assert done.returncode == 69
    assert done.stderr.startswith("sandbox: Redis does not answer at redis://127.0.0.1:9/0: ")
    assert done.stderr.count("\n") == 1
    assert "secret" not in done.stderr


def test_down_stops_the_owner_or_says_that_there_is_none(own_home: Path, owner: subprocess.Popen[str]) -> None:
    first = run_sandbox(own_home, "down", SANDBOX_ENGINE="local")
    assert (first.returncode, first.stderr) == (0, "stopped\n")
    assert owner.wait(TIMEOUT_S) == -signal.SIGTERM
    second = run_sandbox(own_home, "down", SANDBOX_ENGINE="local")
    assert (second.returncode, second.stderr) == (0, f"nothing runs on {own_home}\n")


@pytest.mark.parametrize("words", [["up"], ["up", "--detach"]], ids=["attached", "detached"])
def test_a_port_that_is_taken_is_said_at_once(own_home: Path, words: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = run_sandbox(own_home, *words, "--port", str(server.getsockname()[1]), SANDBOX_ENGINE="local")
    assert done.returncode == 1
    assert "Address already in use; choose another port with --port or SANDBOX_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_engine_it_refuses_and_names_the_engine_with_less_isolation(own_home: Path) -> None:
    nowhere = {"DOCKER_HOST": f"unix://{own_home}/none.sock"}
    done = run_sandbox(own_home, "up", "--detach", "--port", str(find_free_port()), **nowhere)
    assert done.returncode == 1
    assert "SANDBOX_ENGINE=local" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_that_dies_at_its_start_is_told_with_the_end_of_its_log(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "prepare_engine", lambda settings, report: None)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{own_home}/none.sock")
    with pytest.raises(LifecycleError, match=r"(?s)ended with exit code 1.*up\.log:.*reach the Docker engine"):
        up.start_detached(UpSettings(home=own_home, port=find_free_port()), print)


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:1"), ("0.0.0.0", "http://127.0.0.1:1"), ("::", "http://[::1]:1")],
)
def test_the_service_is_looked_for_where_it_listens(host: str, url: str) -> None:
    assert build_service_url(ApiSettings(host=host, port=1)) == url


def test_the_local_engine_warns_about_missing_isolation(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "list_local_isolation_gaps", lambda: ["no network namespace"])
    lines: list[str] = []
    up.prepare_engine(UpSettings(home=own_home, engine="local"), lines.append)
    assert lines == ["!!! LOCAL ENGINE, MISSING ISOLATION: no network namespace"]


def test_an_installation_without_the_local_engine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sandbox.box.local.engine", None)
    with pytest.raises(EngineUnavailable, match="SANDBOX_ENGINE=docker"):
        up.list_local_isolation_gaps()


@pytest.mark.parametrize(("slots", "processes"), [(1, 1), (2, 2), (3, 2), (6, 2), (7, 3), (16, 6), (64, 22)])
def test_slots_have_as_many_api_processes_as_keep_them_busy(slots: int, processes: int) -> None:
    assert up.compute_api_processes(slots) == processes


@pytest.mark.slow
def test_from_up_to_down(docker_client: docker.DockerClient, images: dict[str, str], own_home: Path) -> None:
    """Detached, with real boxes: it becomes ready, runs a program, and leaves nothing, even after kill -9."""
    assert images
    port = find_free_port()
    try:
        for end in (stop, kill_owner):
            started = run_sandbox(own_home, "up", "--slots", "1", "--port", str(port), "--detach")
            assert started.returncode == 0, started.stderr
            assert f"ready at http://127.0.0.1:{port}" in started.stderr
            if end is stop:
                again = run_sandbox(own_home, "up", "--slots", "1", "--port", str(port), "--detach", "--replace")
                assert again.returncode == 0, again.stderr
                assert again.stderr.startswith("stopped\n")
            logs = {log.name for log in (own_home / "log").iterdir()}
            assert {"up.log", "redis.log", "worker-0.log", "api.log"} <= logs
            url = f"http://127.0.0.1:{port}"
            program = own_home / "main.py"
            program.write_text("import sys\nprint(sum(map(int, input().split())), sys.argv[1:])\nsys.exit(3)\n")
            ran = run_sandbox(own_home, "run", str(program), "--url", url, "-x", "y", stdin="20 22\n")
            assert (ran.returncode, ran.stdout) == (3, "42 ['-x', 'y']\n"), ran.stderr
            end(own_home)
            wait_until(lambda: not find_processes(own_home), "no process is left")
            wait_until(
                lambda: (
                    not docker_client.containers.list(
                        all=True, ignore_removed=True, filters={"label": f"{HOME_LABEL}={own_home}"}
                    )
                ),
                "no container is left",
            )
    finally:
        down = run_sandbox(own_home, "down")
    assert down.returncode == 0
    assert not (own_home / "redis.sock").exists()


def stop(home: Path) -> None:
    assert run_sandbox(home, "down").returncode == 0


def kill_owner(home: Path) -> None:
    pid = find_running_pid(home)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
