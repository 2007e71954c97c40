"""Build the images that boxes start from, if the engine does not have them.

An image's tag is a hash of its folder and of the runner's sources. A changed runner therefore gives a new image, and an
unchanged one is never built twice. The build context is created in memory from the installed package or from the
repository, which contain the same files.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import io
import os
import tarfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors

from sandbox.box.docker.debian_base import ReportProgress, ensure_base
from sandbox.box.docker.engine_client import (
    ENGINE_ERRORS,
    LOG_TAIL_LINES,
    follow_log,
    has_image,
    set_api_timeout,
    translate_engine_errors,
)
from sandbox.errors import EngineUnavailable

IMAGES = ("cpp", "python", "js")  # the fastest to build comes first
ON_DEMAND_IMAGES = ("jvm", "compiled", "scripting")  # large and often not needed: built only on explicit request
FORMER_NAMES = {"native": "cpp", "web": "js", "more": "scripting"}  # `sandbox images build` accepts them too
SHARED_STAGES = ("foundation", "runner")  # of images/base: all images start from the first and copy the second

_BUILD_TIMEOUT_S = 900
_MAX_PARALLEL_BUILDS = 2
_PREDECESSORS_TO_KEEP = 1
_PACKAGE = Path(__file__).resolve().parents[2]


def find_missing_images(client: docker.DockerClient, names: Iterable[str] = IMAGES) -> list[str]:
    """Return the `names` whose current image the engine does not have. Raises `EngineUnavailable`."""
    return _find_missing(client, {name: compute_image_tag(name) for name in names})


def read_image_sizes(client: docker.DockerClient, names: Iterable[str]) -> dict[str, int]:
    """Return the size in MB of each image in `names` that is already built from the current sources.

    Raises `EngineUnavailable`.
    """
    tags = {name: compute_image_tag(name) for name in names}
    absent = _find_missing(client, tags)
    return {name: client.api.inspect_image(tag)["Size"] // 10**6 for name, tag in tags.items() if name not in absent}


@functools.cache
def compute_image_tag(name: str) -> str:
    """Return the full name of an image or shared stage for the current sources: `sandbox-<name>:<12 hex digits>`.

    The digits are the start of a hash of its files. For an image, these include the files of the shared stages.

    The result is cached per process, so a worker keeps using the same image even if its sources change on disk.
    """
    digest = hashlib.sha256()
    for path, content in sorted(_read_context(name).items()):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return f"sandbox-{name}:{digest.hexdigest()[:12]}"


def ensure_images(client: docker.DockerClient, names: Iterable[str], report: ReportProgress) -> dict[str, str]:
    """Build the images in `names` that the engine does not have; return the tag of each image in `names`.

    `report` receives one line per step. Two processes never build at the same time: the second waits and then finds the
    images built. Raises `EngineUnavailable` if an image cannot be built.
    """
    tags = {name: compute_image_tag(name) for name in names}
    if not _find_missing(client, tags):
        return tags
    with _lock_builds(report):
        missing = _find_missing(client, tags)
        base = ensure_base(client, report) if missing else ""
        if missing:
            _build_shared_stages(client, base, report)
        _build_all(client, missing, report)
    return tags


def prune_images(client: docker.DockerClient, names: Iterable[str]) -> None:
    """Remove older builds of `names` that no container uses, except the most recent one.

    This happens only on request: another checkout, or a service that has not restarted yet, may still start boxes from
    them.
    """
    for name in names:
        _remove_predecessors(client, name, compute_image_tag(name))


def _find_images_folder() -> Path:
    for folder in (_PACKAGE / "_images", _PACKAGE.parent / "images"):
        if folder.is_dir():
            return folder
    raise EngineUnavailable("the images' sources are missing from this installation: install the package again")


def _read_context(name: str) -> dict[str, bytes]:
    """Return the files of one build by path: the image's folder, the shared stages, and the package `sandbox.runner`.

    Raises EngineUnavailable if the image is unknown.
    """
    if name not in (*IMAGES, *ON_DEMAND_IMAGES, *SHARED_STAGES):
        raise EngineUnavailable(f"unknown image {name!r}. The images are {', '.join((*IMAGES, *ON_DEMAND_IMAGES))}.")
    base = _find_images_folder() / "base"
    folder = base if name in SHARED_STAGES else base.with_name(name)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    files |= {f"base/{path.name}": path for path in base.iterdir() if path.is_file()}
    for path in (
        _PACKAGE / "__init__.py",
        *(_PACKAGE / "runner").rglob("*.py"),
        *(_PACKAGE / "runner").rglob("*.c"),
    ):
        files[f"sandbox/{path.relative_to(_PACKAGE).as_posix()}"] = path
    return {name_in_context: path.read_bytes() for name_in_context, path in files.items()}


def _build_context_archive(name: str) -> io.BytesIO:
    """Build a tar archive of the context. Equal files give equal bytes, so the builder can use its cache."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in sorted(_read_context(name).items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    archive.seek(0)
    return archive


def _find_missing(client: docker.DockerClient, tags: dict[str, str]) -> list[str]:
    return [name for name, tag in tags.items() if not has_image(client, tag)]


@contextmanager
def _lock_builds(report: ReportProgress) -> Iterator[None]:
    """Allow only one process at a time to build from these sources. The kernel releases the lock if a process dies."""
    descriptor = os.open(_find_images_folder(), os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("images: waiting for another process to build them")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _build_shared_stages(client: docker.DockerClient, debian: str, report: ReportProgress) -> None:
    """Build the stages that the images share, unless the engine has them."""
    with set_api_timeout(client, _BUILD_TIMEOUT_S):
        for stage in _find_missing(client, {stage: compute_image_tag(stage) for stage in SHARED_STAGES}):
            _build(client, stage, report, buildargs={"DEBIAN": debian}, target=stage)


def _build_all(client: docker.DockerClient, names: Iterable[str], report: ReportProgress) -> None:
    """Build images in parallel, from the shared stages."""
    arguments = {"BASE": compute_image_tag("foundation"), "RUNNER": compute_image_tag("runner")}
    with set_api_timeout(client, _BUILD_TIMEOUT_S), ThreadPoolExecutor(_MAX_PARALLEL_BUILDS) as builders:
        builds = [
            builders.submit(_build, client, name, report, buildargs=arguments, labels={"sandbox.image": name})
            for name in names
        ]
        for build in builds:
            build.result()


def _build(client: docker.DockerClient, name: str, report: ReportProgress, **options: Any) -> None:
    """Build one image, using the host's network and the classic builder, which every engine supports."""
    started = time.monotonic()
    tag = compute_image_tag(name)
    report(f"images: building {tag}")
    log: list[str] = []
    try:
        answers = client.api.build(
            fileobj=_build_context_archive(name),
            custom_context=True,
            tag=tag,
            network_mode="host",
            rm=True,
            forcerm=True,
            decode=True,
            **options,
        )
        failure = follow_log(answers, log)
    except ENGINE_ERRORS as error:
        failure = str(error)
    if failure:
        raise _build_image_error(tag, failure, log)
    report(f"images: {tag} built in {time.monotonic() - started:.0f} s")


def _build_image_error(tag: str, failure: str, log: list[str]) -> EngineUnavailable:
    tail = "\n".join(f"    {line}" for line in log[-LOG_TAIL_LINES:])
    return EngineUnavailable(
        f"the image {tag} could not be built: {failure}\n{tail}\n"
        "If packages could not be fetched, check that this machine reaches Debian's archive (apt-get update); if the "
        "disk is full, free some (docker system df). Then run: sandbox images build"
    )


def _remove_predecessors(client: docker.DockerClient, name: str, tag: str) -> None:
    """Remove older builds but keep one, because a service that has not restarted may still start boxes from it."""
    repositories = [f"sandbox-{each}" for each in (name, *(old for old, new in FORMER_NAMES.items() if new == name))]
    with translate_engine_errors("list the images"):
        found = {image["Id"]: image for one in repositories for image in client.api.images(name=one)}
    older = [image for image in found.values() if tag not in (image["RepoTags"] or ())]
    older.sort(key=lambda image: int(image["Created"]), reverse=True)
    for image in older[_PREDECESSORS_TO_KEEP:]:
        for old_tag in image["RepoTags"] or ():
            _remove_unused(client, old_tag)


def _remove_unused(client: docker.DockerClient, tag: str) -> None:
    with translate_engine_errors(f"remove the old image {tag}"):
        try:
            client.api.remove_image(tag)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if error.status_code != 409:  # 409: a container still uses it; the next build tries again
                raise
