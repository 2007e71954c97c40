"""`sandbox up` and `sandbox down`: run Redis, the workers and the API in one supervised tree per home directory.

Theory of operation. A home directory belongs to at most one tree (`state_dir`). Redis starts first and the API last.
Stopping in reverse order therefore lets the API finish accepted requests while workers still run. If a tree was killed,
`down` and the next `up` remove the containers and the socket that it left behind.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from sandbox.config import (
    HostSettings,
    QueueSettings,
    SessionSettings,
    UpSettings,
    WorkerSettings,
    build_environment,
)
from sandbox.errors import EngineUnavailable
from sandbox.processes import embedded_redis
from sandbox.processes.api_address import (
    build_service_url,
    check_port,
    is_ready,
    refuse_public_without_keys,
    responds_ok,
)
from sandbox.processes.process_tree import Child, ProcessTree
from sandbox.processes.state_dir import (
    LifecycleError,
    create_state_dir,
    find_changed_settings,
    find_running_pid,
    lock_state_dir,
    record_settings,
)

Report = Callable[[str], None]

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0
KILL_TIMEOUT_S = 10.0
WORKER_STOP_TIMEOUT_S = 20.0
LOG_TAIL_LINES = 15
RESERVED_LANES = ("rl,default", "rl")
SLOTS_PER_API_PROCESS = 3


def run(settings: UpSettings, report: Report, log_folder: Path | None = None) -> None:
    """Run everything in the foreground until SIGTERM or SIGINT. With `log_folder`, each child logs to a file there.

    Raises AlreadyRunning, LifecycleError, EngineUnavailable, QueueUnavailable or `process_tree.StartupFailed`.
    """
    refuse_public_without_keys(settings)
    with lock_state_dir(settings.home):
        record_settings(settings.home, settings.model_dump(mode="json"))
        check_port(settings)
        prepare_engine(settings, report)
        remove_leftovers(settings)
        remove_stale_metrics(settings)
        try:
            ProcessTree(_build_children(settings, log_folder)).run()
        finally:
            remove_leftovers(settings)


def _build_children(settings: UpSettings, log_folder: Path | None) -> list[Child]:
    processes = settings.api_processes or compute_api_processes(count_slots(settings))
    environment = build_environment(settings.model_copy(update={"api_processes": processes}))
    redis_url, url = settings.effective_redis_url, build_service_url(settings)
    children = []
    if not settings.redis_url:
        command = embedded_redis.build_command(settings.home, settings.redis_max_mb)
        children.append(Child("redis", command, is_ready=lambda: embedded_redis.is_answering(redis_url)))
    children += build_worker_children(settings, environment)
    for number in range(processes):
        name = f"api-{number}" if number else "api"
        api = [sys.executable, "-m", "sandbox", "serve", "--number", str(number)]
        children.append(Child(name, api, environment, is_ready=lambda: responds_ok(f"{url}/health/live")))
    children += build_session_children(settings, environment)
    if settings.webhook_secret:
        children.append(Child("deliver", [sys.executable, "-m", "sandbox", "deliver"], environment))
    for child in children:
        child.log = None if log_folder is None else log_folder / f"{child.name}.log"
    return children


def count_slots(settings: WorkerSettings) -> int:
    return settings.slots or len(os.sched_getaffinity(0))


def compute_api_processes(slots: int) -> int:
    """Return the default number of API processes for this many slots."""
    return max(min(slots, 2), -(-slots // SLOTS_PER_API_PROCESS))


def build_worker_children(settings: WorkerSettings, environment: Mapping[str, str]) -> list[Child]:
    """Build one child per slot, and those of the reserved workers."""
    roles: list[list[str]] = [[] for _ in range(count_slots(settings))]
    if settings.express:
        roles += [["--express", lanes] for lanes in RESERVED_LANES]
    command = [sys.executable, "-m", "sandbox", "worker-slot", "--slot"]
    return [
        Child(f"worker-{slot}", [*command, str(slot), *role], environment, stop_timeout_s=WORKER_STOP_TIMEOUT_S)
        for slot, role in enumerate(roles)
    ]


def build_session_children(settings: SessionSettings, environment: Mapping[str, str]) -> list[Child]:
    """Build the process that holds this host's sessions, if it may hold any."""
    if not settings.sessions:
        return []
    command = [sys.executable, "-m", "sandbox", "session-host"]
    return [Child("session-host", command, environment, stop_timeout_s=WORKER_STOP_TIMEOUT_S)]


def remove_stale_metrics(settings: QueueSettings) -> None:
    """Remove the metrics of dead processes, because fewer processes may start now."""
    from sandbox.telemetry.process_files import get_metrics_folder, remove_dead_files

    remove_dead_files(get_metrics_folder(settings.home))


def build_metrics_children(settings: HostSettings, environment: Mapping[str, str]) -> list[Child]:
    """Build the process that serves the metrics of a host without an API, if its port is set."""
    if not settings.worker_metrics_port:
        return []
    return [Child("metrics", [sys.executable, "-m", "sandbox", "host-metrics"], environment)]


def prepare_engine(settings: WorkerSettings, report: Report) -> None:
    """Check that the isolation that the settings ask for is available, and build missing images.

    Raises EngineUnavailable.
    """
    if settings.engine == "local":
        for layer in list_local_isolation_gaps():
            report(f"!!! LOCAL ENGINE, MISSING ISOLATION: {layer}")
        return
    from sandbox.box.docker.engine_client import open_engine_client
    from sandbox.box.docker.images import IMAGES, ensure_images

    try:
        with open_engine_client() as client:
            ensure_images(client, IMAGES, report)
    except EngineUnavailable as error:
        advice = "run `sandbox doctor` for details; to accept weaker isolation, set SANDBOX_ENGINE=local"
        raise EngineUnavailable(f"{error}\n{advice}") from error


def list_local_isolation_gaps() -> list[str]:
    """Return the isolation layers that the local engine lacks on this machine. Raises EngineUnavailable."""
    try:
        from sandbox.box.local.engine import list_missing_isolation
    except ImportError as error:
        raise EngineUnavailable("this installation has no local engine: set SANDBOX_ENGINE=docker") from error
    return list(list_missing_isolation())


def start_detached(settings: UpSettings, report: Report) -> int:
    """Start the tree in the background, wait until it is ready, and return its pid. Raises the same errors as `run`."""
    refuse_public_without_keys(settings)
    create_state_dir(settings.home)
    check_port(settings)
    prepare_engine(settings, report)
    logs = get_log_folder(settings)
    logs.mkdir(exist_ok=True)
    with (logs / "up.log").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "up", "--log-to-files"],
            env=build_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if find_running_pid(settings.home) == process.pid and is_ready(build_service_url(settings)):
            return process.pid
        time.sleep(0.1)
    raise LifecycleError(_explain_not_ready(settings, process))


def _explain_not_ready(settings: UpSettings, process: subprocess.Popen[bytes]) -> str:
    """Explain the failure with the service's problems and logs. Stops the service if it is still running."""
    code = process.poll()
    reason = f"it ended with exit code {code}" if code is not None else f"not ready after {READY_TIMEOUT_S:.0f} s"
    problems = "" if code is not None else _fetch_problems(build_service_url(settings))
    if code is None:
        stop(settings)
        process.wait()
    logs = sorted(get_log_folder(settings).glob("*.log"))
    tails = [f"the end of {log}:\n{tail}" for log in logs if log.suffixes == [".log"] and (tail := _read_tail(log))]
    return "\n".join([f"the service did not start: {reason}{problems}", *tails])


def _read_tail(log: Path) -> str:
    return "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def _fetch_problems(url: str) -> str:
    try:
        problems = httpx.get(f"{url}/health/ready", timeout=2.0, trust_env=False).json()["problems"]
    except (httpx.HTTPError, ValueError, LookupError):
        return ""
    return f" ({'; '.join(map(str, problems))})"


def stop(settings: UpSettings) -> bool:
    """Stop the service of this state directory and clean up. Returns False if none ran. Raises LifecycleError."""
    pid = find_running_pid(settings.home)
    stopped = pid is None or any(
        _signal_and_wait(settings.home, pid, number, patience_s)
        for number, patience_s in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, KILL_TIMEOUT_S))
    )
    if not stopped:
        raise LifecycleError(f"process {pid} does not stop, even after SIGKILL")
    remove_leftovers(settings)
    return pid is not None


def find_changed_variables(settings: UpSettings) -> list[str]:
    """Return the environment variables whose values differ from those of the running service."""
    return [
        f"SANDBOX_{name.upper()}" for name in find_changed_settings(settings.home, settings.model_dump(mode="json"))
    ]


def format_command(settings: QueueSettings, command: str) -> str:
    """Return the command line of `sandbox COMMAND` for this home, with SANDBOX_HOME if it is not the default."""
    default = type(settings).model_fields["home"].get_default(call_default_factory=True)
    variable = "" if settings.home == default else f"SANDBOX_HOME={shlex.quote(str(settings.home))} "
    return f"{variable}sandbox {command}"


def _signal_and_wait(home: Path, pid: int, number: signal.Signals, timeout_s: float) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    deadline = time.monotonic() + timeout_s
    while find_running_pid(home) == pid:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def remove_leftovers(settings: UpSettings) -> None:
    """Remove boxes and sockets that a tree of this home may have left behind."""
    if settings.engine == "docker":
        from sandbox.box.docker.leftovers import remove_boxes

        remove_boxes(settings.home)
    settings.redis_socket.unlink(missing_ok=True)


def get_log_folder(settings: QueueSettings) -> Path:
    return settings.home / "log"
