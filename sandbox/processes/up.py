"""`sandbox up` and `sandbox down`: Redis, the workers and the API in one supervised tree a home folder.

Theory of operation. A home folder belongs to at most one tree (`home`). Redis starts first and the API last, so that
stopping in reverse lets the API answer what it has accepted while there are workers to run it. What a killed tree could
not clear away, its containers and its socket, `down` and the next `up` do.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import httpx

from sandbox.api import keyring
from sandbox.config import (
    ApiSettings,
    HostSettings,
    QueueSettings,
    UpSettings,
    WorkerSettings,
    build_environment,
    is_loopback,
)
from sandbox.errors import EngineUnavailable
from sandbox.processes import embedded_redis
from sandbox.processes.process_tree import Child, ProcessTree
from sandbox.processes.state_dir import (
    LifecycleError,
    create_state_dir,
    find_changed_settings,
    find_running_pid,
    lock_state_dir,
    record_settings,
)
from sandbox.request_context import Caller

Report = Callable[[str], None]

READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 60.0
KILL_TIMEOUT_S = 10.0
WORKER_STOP_TIMEOUT_S = 20.0
LOG_TAIL_LINES = 15
RESERVED_LANES = ("rl,default", "rl")
SLOTS_PER_API_PROCESS = 3


def run(settings: UpSettings, report: Report, log_folder: Path | None = None) -> None:
    """Everything in the foreground until SIGTERM or SIGINT; with `log_folder` each child logs to a file there.

    Raises AlreadyUp, NotUp, EngineUnavailable, QueueUnavailable or `tree.DiedAtStart`.
    """
    refuse_public_without_keys(settings)
    with lock_state_dir(settings.home):
        record_settings(settings.home, settings.model_dump(mode="json"))
        _check_port(settings)
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
        children.append(Child(name, api, environment, is_ready=lambda: _responds_ok(f"{url}/health/live")))
    if settings.webhook_secret:
        children.append(Child("deliver", [sys.executable, "-m", "sandbox", "deliver"], environment))
    for child in children:
        child.log = None if log_folder is None else log_folder / f"{child.name}.log"
    return children


def count_slots(settings: WorkerSettings) -> int:
    return settings.slots or len(os.sched_getaffinity(0))


def compute_api_processes(slots: int) -> int:
    """How many serve that many slots where no setting says it."""
    return max(min(slots, 2), -(-slots // SLOTS_PER_API_PROCESS))


def build_worker_children(settings: WorkerSettings, environment: Mapping[str, str]) -> list[Child]:
    """One process a slot, and the express ones."""
    roles: list[list[str]] = [[] for _ in range(count_slots(settings))]
    if settings.express:
        roles += [["--express", lanes] for lanes in RESERVED_LANES]
    command = [sys.executable, "-m", "sandbox", "worker-slot", "--slot"]
    return [
        Child(f"worker-{slot}", [*command, str(slot), *role], environment, stop_timeout_s=WORKER_STOP_TIMEOUT_S)
        for slot, role in enumerate(roles)
    ]


def remove_stale_metrics(settings: QueueSettings) -> None:
    """Of processes that ended: those that are started now may be fewer."""
    from sandbox.telemetry.process_files import get_metrics_folder, remove_dead_files

    remove_dead_files(get_metrics_folder(settings.home))


def build_metrics_children(settings: HostSettings, environment: Mapping[str, str]) -> list[Child]:
    """What shows the metrics of a host that has no API, where a port is named for it."""
    if not settings.worker_metrics_port:
        return []
    return [Child("metrics", [sys.executable, "-m", "sandbox", "host-metrics"], environment)]


def prepare_engine(settings: WorkerSettings, report: Report) -> None:
    """See that the walls the settings ask for can be put up, building images that are missing; else
    EngineUnavailable."""
    if settings.engine == "local":
        for layer in list_local_isolation_gaps():
            report(f"!!! LOCAL ENGINE, MISSING WALL: {layer}")
        return
    from sandbox.box.docker.images import IMAGES, ensure_images, open_engine_client

    try:
        with open_engine_client() as client:
            ensure_images(client, IMAGES, report)
    except EngineUnavailable as error:
        advice = "`sandbox doctor` says more; to do with fewer walls, choose them by name: SANDBOX_ENGINE=local"
        raise EngineUnavailable(f"{error}\n{advice}") from error


def list_local_isolation_gaps() -> list[str]:
    """The walls that the local engine cannot put up here. Raises EngineUnavailable."""
    try:
        from sandbox.box.local.engine import list_missing_isolation
    except ImportError as error:
        raise EngineUnavailable("this installation has no local engine: use SANDBOX_ENGINE=docker") from error
    return list(list_missing_isolation())


def start_detached(settings: UpSettings, report: Report) -> int:
    """Start the tree in the background and wait until it is ready; returns its pid. Raises as `run` does."""
    refuse_public_without_keys(settings)
    create_state_dir(settings.home)
    _check_port(settings)
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
    """What the service and its logs say; what runs of it is stopped first."""
    code = process.poll()
    reason = f"it ended with exit code {code}" if code is not None else f"not ready after {READY_TIMEOUT_S:.0f} s"
    problems = "" if code is not None else _fetch_problems(build_service_url(settings))
    if code is None:
        stop(settings)
        process.wait()
    logs = sorted(get_log_folder(settings).glob("*.log"))
    tails = [f"the end of {log}:\n{tail}" for log in logs if log.suffixes == [".log"] and (tail := _read_tail(log))]
    return "\n".join([f"the service did not come up: {reason}{problems}", *tails])


def _read_tail(log: Path) -> str:
    return "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def _fetch_problems(url: str) -> str:
    try:
        problems = httpx.get(f"{url}/health/ready", timeout=2.0, trust_env=False).json()["problems"]
    except (httpx.HTTPError, ValueError, LookupError):
        return ""
    return f" ({'; '.join(map(str, problems))})"


def stop(settings: UpSettings) -> bool:
    """Stop what `up` started on this home and leave nothing of it; False when nothing ran. Raises NotUp."""
    pid = find_running_pid(settings.home)
    stopped = pid is None or any(
        _signal_and_wait(settings.home, pid, number, patience_s)
        for number, patience_s in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, KILL_TIMEOUT_S))
    )
    if not stopped:
        raise LifecycleError(f"process {pid} does not stop, not even when killed")
    remove_leftovers(settings)
    return pid is not None


def find_changed_variables(settings: UpSettings) -> list[str]:
    """Return the variables whose values differ from those that the running service was started with."""
    return [
        f"SANDBOX_{name.upper()}" for name in find_changed_settings(settings.home, settings.model_dump(mode="json"))
    ]


def format_command(settings: QueueSettings, command: str) -> str:
    """Return the command line of `sandbox COMMAND` for this home, with the variable that names it where needed."""
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
    """Remove boxes and sockets that a tree of this home may have left."""
    if settings.engine == "docker":
        from sandbox.box.docker.engine import remove_boxes

        remove_boxes(settings.home)
    settings.redis_socket.unlink(missing_ok=True)


def get_log_folder(settings: QueueSettings) -> Path:
    return settings.home / "log"


def build_service_url(settings: ApiSettings) -> str:
    """Where this machine reaches the API."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def refuse_public_without_keys(settings: ApiSettings) -> None:
    """Raises NotUp where anybody beyond this machine could run programs, unless that was asked for by name."""
    if settings.api_keys:
        keyring.parse_keyring(settings.api_keys, Caller(""))
    elif not settings.public_without_keys and not is_loopback(settings.host):
        raise LifecycleError(
            f"{settings.host} can be reached from other machines, and no API key is asked for. Make one with `sandbox"
            " keys new NAME` and put its entry into SANDBOX_API_KEYS, listen on 127.0.0.1, or, where something else"
            " keeps strangers out, say so: SANDBOX_PUBLIC_WITHOUT_KEYS=1"
        )


def _check_port(settings: ApiSettings) -> None:
    """Say at once that the port is taken, before another service's health is taken for ours. Raises NotUp."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host} port {settings.port}"
            raise LifecycleError(
                f"cannot listen on {where}: {error.strerror}; name another with --port or SANDBOX_PORT"
            ) from error


def open_listener(settings: ApiSettings) -> socket.socket:
    """The socket one API process listens on, its address shared with the others where there are several: the kernel
    deals connections out. Raises NotUp.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.api_processes > 1:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        opened.bind((settings.host, settings.port))
    except OSError as error:
        opened.close()
        raise LifecycleError(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
    return opened


def is_ready(url: str) -> bool:
    return _responds_ok(f"{url}/health/ready")


def _responds_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
