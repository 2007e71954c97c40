"""What this machine has and lacks to run the sandbox, and what to do about each."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from sandbox.config import UpSettings
from sandbox.errors import SandboxError


@dataclass(frozen=True, slots=True)
class Finding:
    """One look: `needed` tells whether the service can do without it."""

    what: str
    good: bool
    found: str
    advice: str = ""
    needed: bool = True


def examine(settings: UpSettings) -> list[Finding]:
    """All findings, in the order in which they are worth mending."""
    return [finding for look in (_machine, _engine, _images, _redis, _service) for finding in look(settings)]


def _machine(settings: UpSettings) -> Iterator[Finding]:
    version2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    version1 = Path("/sys/fs/cgroup/memory").is_dir()
    found = "v2" if version2 else "v1" if version1 else "none"
    yield Finding("cgroups", version1 or version2, found, "boot a kernel with cgroups for memory, cpu and pids")
    seccomp = Path("/proc/sys/kernel/seccomp/actions_avail")
    yield Finding(
        "seccomp", seccomp.exists(), "filters" if seccomp.exists() else "none", "enable CONFIG_SECCOMP_FILTER"
    )
    known = platform.machine() in {"x86_64", "aarch64"}
    yield Finding("processor", known, platform.machine(), "run on x86_64 or aarch64")
    direct = os.access("/sys/fs/cgroup", os.W_OK) and os.geteuid() == 0
    yield Finding(
        "cgroup files writable",
        direct,
        "yes: memory limits change in microseconds" if direct else "no: `docker update` changes them in 40 ms",
        "run workers as root on the engine's host",
        needed=False,
    )


def _engine(settings: UpSettings) -> Iterator[Finding]:
    if settings.engine == "local":
        from sandbox.box.local_engine import missing_walls

        missing = missing_walls()
        yield Finding("engine", True, "local: no containers")
        yield from (Finding("wall", False, wall, "use the docker engine", needed=False) for wall in missing)
        return
    from sandbox.box.docker_engine import engine_information

    try:
        information = engine_information()
    except SandboxError as error:
        yield Finding("engine", False, str(error), "sh deploy/up.sh installs and starts it")
        return
    yield Finding("engine", True, f"Docker {information['ServerVersion']}, cgroup v{information['CgroupVersion']}")
    for name, wall in (("MemoryLimit", "memory limit"), ("CpuCfsQuota", "CPU limit"), ("PidsLimit", "process limit")):
        yield Finding(
            wall, bool(information.get(name)), "up" if information.get(name) else "missing", "enable its cgroup"
        )
    runtime = settings.docker_runtime or information.get("DefaultRuntime", "")
    present = runtime in (information.get("Runtimes") or {})
    yield Finding("runtime", present, runtime, f"register {runtime} with the engine")


def _images(settings: UpSettings) -> Iterator[Finding]:
    if settings.engine == "local":
        return
    import docker
    from docker.errors import DockerException

    from sandbox.box.docker_images import IMAGES, image_tag

    try:
        client = docker.from_env(timeout=10)
        tags = {tag for image in client.images.list() for tag in image.tags}
        client.close()
    except DockerException:
        return
    for name in IMAGES:
        there = image_tag(name) in tags
        yield Finding(f"image {name}", there, image_tag(name) if there else "missing", "sandbox images build")


def _redis(settings: UpSettings) -> Iterator[Finding]:
    client = Redis.from_url(settings.effective_redis_url)
    try:
        client.ping()
        version = client.info("server").get("redis_version", "?")
        yield Finding("redis", True, f"answers, version {version}")
        append_only = client.config_get("appendonly").get("appendonly") == "yes"
        yield Finding("redis persistence", append_only, "on" if append_only else "off", "appendonly yes", needed=False)
    except RedisError as error:
        yield Finding("redis", False, str(error), "sandbox up starts one; or mend SANDBOX_REDIS_URL")
    finally:
        client.close()


def _service(settings: UpSettings) -> Iterator[Finding]:
    from sandbox.up import is_ready

    url = f"http://{settings.host}:{settings.port}"
    ready = is_ready(url)
    yield Finding("service", ready, f"ready at {url}" if ready else f"not ready at {url}", "sandbox up")
