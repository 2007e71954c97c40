"""What this machine has and lacks to run the sandbox, and what to do about each."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from sandbox import embedded_redis
from sandbox.config import UpSettings, WorkerSettings
from sandbox.errors import SandboxError
from sandbox.up import is_ready, local_engine_gaps, service_url

CGROUPS = Path("/sys/fs/cgroup")
SECCOMP_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")
NAMESPACE_PATIENCE_S = 10.0
DOCTORS_SLOT = 1_000  # away from the slots of a service that runs on this machine
# CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID and CLONE_NEWNET: what the local engine's walls are made of.
NEW_NAMESPACES = (
    "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000 | 0x00020000 | 0x20000000 | 0x40000000) != 0)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One look: `needed` tells that the service cannot do without it."""

    what: str
    good: bool
    found: str
    advice: str = ""
    needed: bool = True


def examine(settings: UpSettings) -> list[Finding]:
    """All findings, in the order in which they are worth mending."""
    looks = (_kernel, _namespaces, _engine, _program, _redis, _service)
    return [finding for look in looks for finding in look(settings)]


def _kernel(settings: WorkerSettings) -> Iterator[Finding]:
    known = platform.machine() in {"x86_64", "aarch64"}
    yield Finding("processor", known, platform.machine(), "run on x86_64 or aarch64")
    seccomp = SECCOMP_ACTIONS.exists()
    yield Finding("seccomp", seccomp, "filters" if seccomp else "none", "boot a kernel with CONFIG_SECCOMP_FILTER")
    version = "v2" if (CGROUPS / "cgroup.controllers").exists() else "v1" if (CGROUPS / "memory").is_dir() else ""
    in_docker = settings.engine == "docker"
    yield Finding(
        "cgroups", bool(version), version or "none", "boot a kernel with cgroups for memory, cpu and pids", in_docker
    )
    direct = os.geteuid() == 0 and os.access(CGROUPS, os.W_OK)
    fast, slow = "writable: memory limits change in microseconds", "not writable: `docker update` changes them in 40 ms"
    yield Finding("cgroup files", direct, fast if direct else slow, "run workers as root on the engine's host", False)


def _namespaces(settings: WorkerSettings) -> Iterator[Finding]:
    """Tried in a process of its own, for there is no way back from a namespace."""
    tried = subprocess.run(
        [sys.executable, "-I", "-S", "-c", NEW_NAMESPACES], timeout=NAMESPACE_PATIENCE_S, check=False
    )
    good = tried.returncode == 0
    found = "user, mount, pid, network" if good else "refused"
    advice = "sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000; only the local engine needs it"
    yield Finding("namespaces", good, found, advice, needed=False)


def _engine(settings: WorkerSettings) -> Iterator[Finding]:
    try:
        yield from _local_engine() if settings.engine == "local" else _docker_engine(settings)
    except SandboxError as error:
        yield Finding(
            "engine", False, str(error), "sh deploy/up.sh installs and starts Docker; or SANDBOX_ENGINE=local"
        )


def _local_engine() -> Iterator[Finding]:
    gaps = local_engine_gaps()
    yield Finding("engine", True, "local: no containers")
    yield from (Finding("wall", False, wall, "use the docker engine", needed=False) for wall in gaps)


def _docker_engine(settings: WorkerSettings) -> Iterator[Finding]:
    from sandbox.box.docker_engine import engine_information
    from sandbox.box.docker_images import IMAGES, engine_client, image_tag, missing_images

    information = engine_information()
    version, cgroups = information.get("ServerVersion"), information.get("CgroupVersion", "1")
    yield Finding("engine", True, f"Docker {version}, cgroup v{cgroups}, at {information['socket']}")
    for name, wall in (("MemoryLimit", "memory limit"), ("CpuCfsQuota", "CPU limit"), ("PidsLimit", "process limit")):
        up = bool(information.get(name))
        yield Finding(f"wall: {wall}", up, "up" if up else "missing", "enable its cgroup when the kernel boots")
    profile = any("seccomp" in option for option in information.get("SecurityOptions") or ())
    advice = "use an engine built with seccomp; each program still has our own filter"
    yield Finding("wall: engine's seccomp profile", profile, "up" if profile else "missing", advice, needed=False)
    runtime = settings.docker_runtime or information.get("DefaultRuntime", "")
    there = runtime in (information.get("Runtimes") or {})
    yield Finding("runtime", there, runtime if there else f"no {runtime}", f"register {runtime} with the engine")
    with engine_client(timeout_s=10.0) as client:
        missing = missing_images(client)
    for name in IMAGES:
        found = "missing" if name in missing else image_tag(name)
        yield Finding(f"image {name}", name not in missing, found, "sandbox images build")


def _program(settings: WorkerSettings) -> Iterator[Finding]:
    """A real program in a box of its own: an engine that answers may still run nothing."""
    from sandbox.box.slot import Slot
    from sandbox.jobs.slot_check import prove
    from sandbox.jobs.worker import make_engine

    advice = "look at what failed; `sandbox run` tries other programs once the service is up"
    with tempfile.TemporaryDirectory(prefix="doctor-") as home:
        try:
            engine = make_engine(settings.model_copy(update={"home": Path(home)}), DOCTORS_SLOT)
            slot = Slot(engine, max_runs=1, max_age_s=60.0)
            try:
                began = time.monotonic()
                prove(slot)
                found = f"print(6 * 7) was judged accepted {time.monotonic() - began:.1f} s after its box was asked for"
                missing = slot.missing_walls()
            finally:
                slot.close()
                engine.close()
        except SandboxError as error:
            yield Finding("program", False, str(error), advice)
            return
    yield Finding("program", True, found)
    for wall in missing:
        yield Finding("wall", False, wall, "said in missing_walls; the threat model has what it means", needed=False)


def _redis(settings: UpSettings) -> Iterator[Finding]:
    if not settings.redis_url:
        try:
            yield Finding("redis server", True, str(embedded_redis.find_server()))
        except SandboxError as error:
            yield Finding("redis server", False, "none", str(error))
    theirs = bool(settings.redis_url)
    client = Redis.from_url(settings.effective_redis_url, socket_timeout=5.0, socket_connect_timeout=5.0)
    try:
        yield Finding("redis", True, f"answers, version {client.info('server').get('redis_version', '?')}")
        kept = client.config_get("appendonly").get("appendonly") == "yes"
        yield Finding("redis persistence", kept, "on" if kept else "off", "set appendonly yes in it", needed=False)
    except RedisError as error:
        advice = "start it, or mend SANDBOX_REDIS_URL" if theirs else "`sandbox up` starts it"
        yield Finding("redis", False, str(error), advice, needed=theirs)
    finally:
        client.close()


def _service(settings: UpSettings) -> Iterator[Finding]:
    url = service_url(settings)
    ready = is_ready(url)
    yield Finding("service", ready, f"{'ready' if ready else 'not ready'} at {url}", "`sandbox up`", needed=False)
