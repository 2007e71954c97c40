"""The Debian image that all other images start from.

There are three sources, tried in order: an image that already exists, the official image from a container registry, and
an image that debootstrap builds from Debian's archive.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import docker

from sandbox.box.docker.engine_client import (
    ENGINE_ERRORS,
    LOG_TAIL_LINES,
    follow_log,
    has_image,
    set_api_timeout,
    translate_engine_errors,
)
from sandbox.errors import EngineUnavailable

BASE_IMAGE = "sandbox-base:bookworm"
OFFICIAL_BASE_IMAGE = "debian:bookworm-slim"
DEBOOTSTRAP_LABEL = "sandbox.base=debootstrap"

ReportProgress = Callable[[str], None]

_REGISTRY_TIMEOUT_S = 20
_DEBOOTSTRAP_TIMEOUT_S = 900


def ensure_base(client: docker.DockerClient, report: ReportProgress) -> str:
    """Return the name of the base image; download or build it if it does not exist."""
    if has_image(client, BASE_IMAGE):
        return BASE_IMAGE
    if has_image(client, OFFICIAL_BASE_IMAGE) or _pull_official_base(client, report):
        return OFFICIAL_BASE_IMAGE
    _bootstrap_base(client, report)
    return BASE_IMAGE


def _pull_official_base(client: docker.DockerClient, report: ReportProgress) -> bool:
    report(f"images: asking the container registry for {OFFICIAL_BASE_IMAGE}")
    repository, _, tag = OFFICIAL_BASE_IMAGE.partition(":")
    with set_api_timeout(client, _REGISTRY_TIMEOUT_S):
        try:
            if follow_log(client.api.pull(repository, tag=tag, stream=True, decode=True), log=[]):
                return False
        except ENGINE_ERRORS:
            return False
    return has_image(client, OFFICIAL_BASE_IMAGE)


def _bootstrap_base(client: docker.DockerClient, report: ReportProgress) -> None:
    """Build the base image without a registry: run debootstrap in a folder, then `docker import` the folder."""
    report("images: no container registry answers, building the Debian base with debootstrap (about a minute)")
    if not shutil.which("debootstrap"):
        raise EngineUnavailable("no container registry answers and debootstrap is missing: apt-get install debootstrap")
    if os.geteuid() != 0:
        raise EngineUnavailable("no container registry answers, and debootstrap needs root: run this once as root")
    with tempfile.TemporaryDirectory(prefix="sandbox-base-") as work:
        root, archive = Path(work, "root"), Path(work, "root.tar")
        _run_command(["debootstrap", "--variant=minbase", "bookworm", str(root)])
        for disposable in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(root / disposable, ignore_errors=True)
        _run_command(["tar", "--numeric-owner", "-C", str(root), "-cf", str(archive), "."])
        repository, _, tag = BASE_IMAGE.partition(":")
        with translate_engine_errors("import the Debian base"):
            client.api.import_image_from_file(str(archive), repository, tag, changes=[f"LABEL {DEBOOTSTRAP_LABEL}"])


def _run_command(command: list[str]) -> None:
    """Run one step of building the base image. Its output is shown only if it fails."""
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=_DEBOOTSTRAP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable(f"{command[0]} did not finish within {_DEBOOTSTRAP_TIMEOUT_S} s") from error
    if completed.returncode != 0:
        tail = "\n".join(f"    {line}" for line in (completed.stdout + completed.stderr).splitlines()[-LOG_TAIL_LINES:])
        raise EngineUnavailable(
            f"{command[0]} failed ({completed.returncode}):\n{tail}\n"
            "Check that this machine reaches Debian's archive, then run: sandbox images build"
        )
