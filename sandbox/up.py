"""`sandbox up` and `sandbox down`: Redis, the API and a worker per slot in one supervised tree a home folder."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from sandbox import embedded_redis
from sandbox.config import UpSettings, WorkerSettings
from sandbox.errors import EngineUnavailable, QueueUnavailable, SandboxError
from sandbox.tree import Child, Tree

logger = logging.getLogger(__name__)

READY_PATIENCE_S = 90.0
STOP_PATIENCE_S = 60.0
LOG_TAIL_LINES = 15


class AlreadyUp(SandboxError):
    """Another `sandbox up` runs on the same home folder."""


def pid_file(home: Path) -> Path:
    return home / "up.pid"


@contextmanager
def owned_home(home: Path) -> Iterator[None]:
    """Hold a home folder's lock, our pid in it. Raises AlreadyUp."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with pid_file(home).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AlreadyUp(f"already running on {home}") from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


def running_pid(home: Path) -> int | None:
    """The pid of the tree that runs on this home folder; None when none does."""
    try:
        with pid_file(home).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return int(file.read() or 0) or None
    except FileNotFoundError:
        return None
    return None


def run(settings: UpSettings) -> None:
    """Everything in the foreground until SIGTERM or SIGINT. Raises AlreadyUp, EngineUnavailable or QueueUnavailable."""
    check_engine(settings)
    with owned_home(settings.home):
        children: list[Child] = []
        if not settings.redis_url:
            url = settings.effective_redis_url
            command = embedded_redis.command(settings.home)
            children.append(Child("redis", command, started=lambda: embedded_redis.wait_until_it_answers(url)))
        environment = handed_on(settings)
        children.append(Child("api", [sys.executable, "-m", "sandbox", "serve"], environment))
        children += worker_children(settings, environment)
        try:
            Tree(children).run()
        finally:
            clear(settings)


def worker_children(settings: WorkerSettings, environment: Mapping[str, str]) -> list[Child]:
    """One process a slot."""
    slots = settings.slots or len(os.sched_getaffinity(0))
    slot_command = [sys.executable, "-m", "sandbox", "worker-slot", "--slot"]
    return [Child(f"worker-{slot}", [*slot_command, str(slot)], environment) for slot in range(slots)]


def handed_on(settings: UpSettings) -> dict[str, str]:
    """The settings as the environment of a child."""
    values = settings.model_dump(mode="json")
    return {f"SANDBOX_{name.upper()}": str(value) for name, value in values.items()}


def check_engine(settings: WorkerSettings) -> None:
    """Refuse to start without the walls the settings ask for."""
    if settings.engine == "local":
        from sandbox.box.local_engine import missing_walls

        for wall in missing_walls():
            sys.stderr.write(f"!!! LOCAL ENGINE, MISSING WALL: {wall}\n")
        return
    import docker

    from sandbox.box.docker_engine import engine_information
    from sandbox.box.docker_images import IMAGES, ensure_images

    try:
        engine_information()
    except EngineUnavailable as error:
        advice = "start it, or choose fewer walls by name: SANDBOX_ENGINE=local"
        raise EngineUnavailable(f"{error}; {advice}") from error
    client = docker.from_env()
    ensure_images(client, IMAGES, lambda line: print(line, file=sys.stderr))
    client.close()


def detach(settings: UpSettings) -> int:
    """Start the tree in the background and wait until it is ready; returns its pid. Raises QueueUnavailable."""
    check_engine(settings)
    log = settings.home / "log" / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "up"],
            env={**os.environ, **handed_on(settings)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        if is_ready(f"http://{settings.host}:{settings.port}"):
            return process.pid
        time.sleep(0.2)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
    raise QueueUnavailable(f"not ready after {READY_PATIENCE_S:.0f} s; the end of {log}:\n{tail}")


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", timeout=2.0).status_code == 200
    except httpx.HTTPError:
        return False


def down(settings: UpSettings) -> bool:
    """Stop what `up` started on this home and leave nothing of it; False when nothing ran."""
    pid = running_pid(settings.home)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE_S
        while running_pid(settings.home) == pid:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline += STOP_PATIENCE_S
            time.sleep(0.1)
    clear(settings)
    return pid is not None


def clear(settings: UpSettings) -> None:
    """Remove boxes and sockets that a tree of this home may have left."""
    if settings.engine == "docker":
        from sandbox.box.docker_engine import remove_boxes

        remove_boxes(settings.home)
    settings.redis_socket.unlink(missing_ok=True)
