"""Check what the sandbox needs on this machine, with advice for everything that is missing."""

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

from redis.exceptions import RedisError

from sandbox.config import UpSettings, WorkerSettings
from sandbox.errors import SandboxError
from sandbox.processes import embedded_redis
from sandbox.processes.api_address import build_service_url, is_ready
from sandbox.processes.up import list_local_isolation_gaps
from sandbox.queue.connection import open_client

CGROUP_ROOT = Path("/sys/fs/cgroup")
SECCOMP_ACTIONS = Path("/proc/sys/kernel/seccomp/actions_avail")
NAMESPACE_TIMEOUT_S = 10.0
DOCTOR_SLOT = 1_000  # outside the range of a running service's slots
# CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID and CLONE_NEWNET, the basis of the local engine's isolation.
NAMESPACE_PROBE = (
    "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000 | 0x00020000 | 0x20000000 | 0x40000000) != 0)"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `is_required` means that the service cannot work without it."""

    name: str
    passed: bool
    detail: str
    advice: str = ""
    is_required: bool = True


def examine(settings: UpSettings) -> list[Finding]:
    """Run all checks. Fix problems in the order of the findings."""
    checks = (
        _check_kernel,
        _check_namespaces,
        _check_engine,
        _check_program,
        _check_sessions,
        _check_redis,
        _check_service,
    )
    return [finding for check in checks for finding in check(settings)]


def _check_kernel(settings: WorkerSettings) -> Iterator[Finding]:
    known = platform.machine() in {"x86_64", "aarch64"}
    yield Finding("processor", known, platform.machine(), "run on x86_64 or aarch64")
    seccomp = SECCOMP_ACTIONS.exists()
    yield Finding("seccomp", seccomp, "filters" if seccomp else "none", "boot a kernel with CONFIG_SECCOMP_FILTER")
    version = (
        "v2" if (CGROUP_ROOT / "cgroup.controllers").exists() else "v1" if (CGROUP_ROOT / "memory").is_dir() else ""
    )
    in_docker = settings.engine == "docker"
    yield Finding(
        "cgroups", bool(version), version or "none", "boot a kernel with cgroups for memory, cpu and pids", in_docker
    )
    direct = os.geteuid() == 0 and os.access(CGROUP_ROOT, os.W_OK)
    fast, slow = "writable: memory limits change in microseconds", "not writable: `docker update` changes them in 40 ms"
    yield Finding("cgroup files", direct, fast if direct else slow, "run workers as root on the engine's host", False)


def _check_namespaces(settings: WorkerSettings) -> Iterator[Finding]:
    """Try to create namespaces, in a child process because a process cannot leave a namespace."""
    completed = subprocess.run(
        [sys.executable, "-I", "-S", "-c", NAMESPACE_PROBE], timeout=NAMESPACE_TIMEOUT_S, check=False
    )
    good = completed.returncode == 0
    found = "user, mount, pid, network" if good else "refused"
    advice = "sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000; only the local engine needs it"
    yield Finding("namespaces", good, found, advice, is_required=False)


def _check_engine(settings: WorkerSettings) -> Iterator[Finding]:
    try:
        yield from _check_local_engine() if settings.engine == "local" else _check_docker_engine(settings)
    except SandboxError as error:
        yield Finding(
            "engine", False, str(error), "sh deploy/up.sh installs and starts Docker; or SANDBOX_ENGINE=local"
        )


def _check_local_engine() -> Iterator[Finding]:
    gaps = list_local_isolation_gaps()
    yield Finding("engine", True, "local: no containers")
    yield from (Finding("isolation", False, layer, "use the docker engine", is_required=False) for layer in gaps)


def _check_docker_engine(settings: WorkerSettings) -> Iterator[Finding]:
    from sandbox.box.docker.engine import fetch_engine_info
    from sandbox.box.docker.engine_client import open_engine_client
    from sandbox.box.docker.images import IMAGES, compute_image_tag, find_missing_images

    information = fetch_engine_info()
    version, cgroups = information.get("ServerVersion"), information.get("CgroupVersion", "1")
    yield Finding("engine", True, f"Docker {version}, cgroup v{cgroups}, at {information['socket']}")
    for name, layer in (("MemoryLimit", "memory limit"), ("CpuCfsQuota", "CPU limit"), ("PidsLimit", "process limit")):
        up = bool(information.get(name))
        yield Finding(f"isolation: {layer}", up, "up" if up else "missing", "enable its cgroup when the kernel boots")
    profile = any("seccomp" in option for option in information.get("SecurityOptions") or ())
    advice = "use an engine built with seccomp; the sandbox's own filter still applies to each program"
    yield Finding(
        "isolation: engine's seccomp profile", profile, "up" if profile else "missing", advice, is_required=False
    )
    runtime = settings.docker_runtime or information.get("DefaultRuntime", "")
    there = runtime in (information.get("Runtimes") or {})
    yield Finding("runtime", there, runtime if there else f"no {runtime}", f"register {runtime} with the engine")
    with open_engine_client(timeout_s=10.0) as client:
        missing = find_missing_images(client)
    for name in IMAGES:
        found = "missing" if name in missing else compute_image_tag(name)
        yield Finding(f"image {name}", name not in missing, found, "sandbox images build")


def _check_program(settings: WorkerSettings) -> Iterator[Finding]:
    """Run a real program in a new box: an engine that answers may still be unable to run anything."""
    from sandbox.box.slot import Slot
    from sandbox.worker.slot_boxes import make_engine
    from sandbox.worker.slot_check import run_self_test

    advice = "fix the failure; once the service runs, try other programs with `sandbox run`"
    with tempfile.TemporaryDirectory(prefix="doctor-") as home:
        try:
            engine = make_engine(settings.model_copy(update={"home": Path(home)}), DOCTOR_SLOT)
            slot = Slot(engine, max_runs=1, max_age_s=60.0)
            try:
                began = time.monotonic()
                run_self_test(slot)
                found = f"print(6 * 7) was judged accepted {time.monotonic() - began:.1f} s after requesting its box"
                missing = slot.list_missing_isolation()
            finally:
                slot.close()
                engine.close()
        except SandboxError as error:
            yield Finding("program", False, str(error), advice)
            return
    yield Finding("program", True, found)
    for layer in missing:
        yield Finding(
            "isolation", False, layer, "reported in missing_walls; the threat model explains it", is_required=False
        )


def _check_sessions(settings: UpSettings) -> Iterator[Finding]:
    """Run a cell in a new session box. Sessions are required only if SANDBOX_SESSIONS is set."""
    from sandbox.session_host.box_check import check_session_box

    is_required = settings.sessions > 0
    if settings.engine == "local":
        advice = "use the docker engine; everything else works without sessions"
        yield Finding("sessions", False, "the local engine cannot hold sessions", advice, is_required)
        return
    places = f"this host holds up to {settings.sessions}" if is_required else "off, because SANDBOX_SESSIONS is 0"
    with tempfile.TemporaryDirectory(prefix="doctor-") as home:
        try:
            took_s = check_session_box(settings.model_copy(update={"home": Path(home)}), DOCTOR_SLOT)
        except SandboxError as error:
            yield Finding("sessions", False, str(error), "fix the program's failure first", is_required)
            return
    yield Finding("sessions", True, f"a session answered after {took_s:.1f} s; {places}")


def _check_redis(settings: UpSettings) -> Iterator[Finding]:
    if not settings.redis_url:
        try:
            yield Finding("redis server", True, str(embedded_redis.find_server()))
        except SandboxError as error:
            yield Finding("redis server", False, "none", str(error))
    is_external = bool(settings.redis_url)
    try:
        client = open_client(settings.effective_redis_url, socket_timeout=5.0, socket_connect_timeout=5.0)
    except SandboxError as error:
        yield Finding("redis", False, str(error), "fix SANDBOX_REDIS_URL", is_required=is_external)
        return
    try:
        yield Finding("redis", True, f"answers, version {client.info('server').get('redis_version', '?')}")
        is_persistent = client.config_get("appendonly").get("appendonly") == "yes"
        yield Finding(
            "redis persistence",
            is_persistent,
            "on" if is_persistent else "off",
            "set appendonly yes in its configuration",
            is_required=False,
        )
    except RedisError as error:
        advice = "start it, or fix SANDBOX_REDIS_URL" if is_external else "`sandbox up` starts it"
        yield Finding("redis", False, str(error), advice, is_required=is_external)
    finally:
        client.close()


def _check_service(settings: UpSettings) -> Iterator[Finding]:
    url = build_service_url(settings)
    ready = is_ready(url)
    yield Finding("service", ready, f"{'ready' if ready else 'not ready'} at {url}", "`sandbox up`", is_required=False)
