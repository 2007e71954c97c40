"""Build the images that boxes start from, on any machine, if they are missing.

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
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from sandbox.errors import EngineUnavailable

IMAGES = ("native", "python", "web")  # the fastest to build comes first
ON_DEMAND_IMAGES = ("jvm", "compiled", "more")  # large and often not needed: built only on explicit request
SHARED_STAGES = ("foundation", "runner")  # of images/base: all images start from the first and copy the second
BASE_IMAGE = "sandbox-base:bookworm"
OFFICIAL_BASE_IMAGE = "debian:bookworm-slim"
DEBOOTSTRAP_LABEL = "sandbox.base=debootstrap"

ReportProgress = Callable[[str], None]

_REGISTRY_TIMEOUT_S = 20
_BUILD_TIMEOUT_S = 900
_MAX_PARALLEL_BUILDS = 2
_DEBOOTSTRAP_TIMEOUT_S = 900
_LOG_TAIL_LINES = 15
_PREDECESSORS_TO_KEEP = 1
_PACKAGE = Path(__file__).resolve().parents[2]


@contextmanager
def open_engine_client(timeout_s: float = 60.0) -> Iterator[docker.DockerClient]:
    """Open a client for the Docker engine, for use outside this package. Raises `EngineUnavailable`."""
    try:
        client = docker.from_env(timeout=timeout_s)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise _build_engine_error("reach the Docker engine", error) from error
    try:
        yield client
    finally:
        client.close()


def find_missing_images(client: docker.DockerClient, names: Iterable[str] = IMAGES) -> list[str]:
    """Return those of `names` whose current image the engine lacks. Raises `EngineUnavailable`."""
    return _find_missing(client, {name: compute_image_tag(name) for name in names})


def read_image_sizes(client: docker.DockerClient, names: Iterable[str]) -> dict[str, int]:
    """Return the size in MB of each current image among `names` that is built. Raises `EngineUnavailable`."""
    tags = {name: compute_image_tag(name) for name in names}
    absent = _find_missing(client, tags)
    return {name: client.api.inspect_image(tag)["Size"] // 10**6 for name, tag in tags.items() if name not in absent}


@functools.cache
def compute_image_tag(name: str) -> str:
    """Return the full name of an image or shared stage for the current sources: `sandbox-<name>:<12 hex digits>`.

    The digits begin the hash of its files, which for an image include those of the shared stages.

    It is computed once per process, so a worker keeps using its image while the checkout changes.
    """
    digest = hashlib.sha256()
    for path, content in sorted(_read_context(name).items()):
        digest.update(f"{path}\0{len(content)}\0".encode())
        digest.update(content)
    return f"sandbox-{name}:{digest.hexdigest()[:12]}"


def ensure_images(client: docker.DockerClient, names: Iterable[str], report: ReportProgress) -> dict[str, str]:
    """Build those of `names` that the engine lacks; return the tag of each.

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


def ensure_base(client: docker.DockerClient, report: ReportProgress) -> str:
    """Return the Debian image that all others start from: an existing one, the official one, or one built by
    debootstrap.
    """
    if _has_image(client, BASE_IMAGE):
        return BASE_IMAGE
    if _has_image(client, OFFICIAL_BASE_IMAGE) or _pull_official_base(client, report):
        return OFFICIAL_BASE_IMAGE
    _bootstrap_base(client, report)
    return BASE_IMAGE


def _find_images_folder() -> Path:
    for folder in (_PACKAGE / "_images", _PACKAGE.parent / "images"):
        if folder.is_dir():
            return folder
    raise EngineUnavailable("the images' sources are missing from this installation: install the package again")


def _read_context(name: str) -> dict[str, bytes]:
    """Return the files of one build: the image's folder, the shared stages, and the runner under its import name."""
    if name not in (*IMAGES, *ON_DEMAND_IMAGES, *SHARED_STAGES):
        raise EngineUnavailable(f"unknown image {name!r}. The images are {', '.join((*IMAGES, *ON_DEMAND_IMAGES))}.")
    base = _find_images_folder() / "base"
    folder = base if name in SHARED_STAGES else base.with_name(name)
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    files["base/Dockerfile"] = base / "Dockerfile"
    for path in (
        _PACKAGE / "__init__.py",
        *(_PACKAGE / "runner").rglob("*.py"),
        _PACKAGE / "runner/zygote/forkserver.c",
    ):
        files[f"sandbox/{path.relative_to(_PACKAGE).as_posix()}"] = path
    return {name_in_context: path.read_bytes() for name_in_context, path in files.items()}


def _build_context_archive(name: str) -> io.BytesIO:
    """Build a tar archive of the context. Its bytes depend only on the files' content, for the builder's cache."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in sorted(_read_context(name).items()):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    archive.seek(0)
    return archive


def _has_image(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.api.inspect_image(tag)
    except docker.errors.ImageNotFound:
        return False
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise _build_engine_error("look for the images", error) from error
    return True


def _find_missing(client: docker.DockerClient, tags: dict[str, str]) -> list[str]:
    return [name for name, tag in tags.items() if not _has_image(client, tag)]


def _build_engine_error(action: str, error: Exception) -> EngineUnavailable:
    return EngineUnavailable(f"cannot {action}: {error}. Check that the Docker engine runs: docker info")


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


@contextmanager
def _set_api_timeout(client: docker.DockerClient, timeout_s: float) -> Iterator[None]:
    """Allow the engine up to `timeout_s` of silence during calls in the `with` block."""
    usual = client.api.timeout
    client.api.timeout = timeout_s
    try:
        yield
    finally:
        client.api.timeout = usual


def _build_shared_stages(client: docker.DockerClient, debian: str, report: ReportProgress) -> None:
    """Build the stages that the images share, unless the engine has them."""
    with _set_api_timeout(client, _BUILD_TIMEOUT_S):
        for stage in _find_missing(client, {stage: compute_image_tag(stage) for stage in SHARED_STAGES}):
            _build(client, stage, report, buildargs={"DEBIAN": debian}, target=stage)


def _build_all(client: docker.DockerClient, names: Iterable[str], report: ReportProgress) -> None:
    """Build images in parallel, from the shared stages."""
    arguments = {"BASE": compute_image_tag("foundation"), "RUNNER": compute_image_tag("runner")}
    with _set_api_timeout(client, _BUILD_TIMEOUT_S), ThreadPoolExecutor(_MAX_PARALLEL_BUILDS) as builders:
        builds = [
            builders.submit(_build, client, name, report, buildargs=arguments, labels={"sandbox.image": name})
            for name in names
        ]
        for build in builds:
            build.result()


def _build(client: docker.DockerClient, name: str, report: ReportProgress, **options: Any) -> None:
    """Build one image on the host's network, with the classic builder, which every engine has."""
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
        failure = _follow_log(answers, log)
    except (docker.errors.DockerException, requests.RequestException) as error:
        failure = str(error)
    if failure:
        raise _build_image_error(tag, failure, log)
    report(f"images: {tag} built in {time.monotonic() - started:.0f} s")


def _follow_log(answers: Iterable[dict[str, Any]], log: list[str]) -> str:
    """Read an engine's answers to the end and append the output to `log`; return the error, or an empty string."""
    failure = ""
    for answer in answers:
        log.extend(line for line in str(answer.get("stream", "")).splitlines() if line.strip())
        failure = str(answer.get("error", failure))
    return failure


def _build_image_error(tag: str, failure: str, log: list[str]) -> EngineUnavailable:
    tail = "\n".join(f"    {line}" for line in log[-_LOG_TAIL_LINES:])
    return EngineUnavailable(
        f"the image {tag} could not be built: {failure}\n{tail}\n"
        "If packages could not be fetched, check that this machine reaches Debian's archive (apt-get update); if the "
        "disk is full, free some (docker system df). Then run: sandbox images build"
    )


def _remove_predecessors(client: docker.DockerClient, name: str, tag: str) -> None:
    """Remove older builds but keep one, because a service that has not restarted may still start boxes from it."""
    repository = f"sandbox-{name}"
    try:
        older = [image for image in client.api.images(name=repository) if tag not in (image["RepoTags"] or ())]
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise _build_engine_error("list the images", error) from error
    older.sort(key=lambda image: int(image["Created"]), reverse=True)
    for image in older[_PREDECESSORS_TO_KEEP:]:
        for old_tag in image["RepoTags"] or ():
            _remove_unused(client, old_tag)


def _remove_unused(client: docker.DockerClient, tag: str) -> None:
    try:
        client.api.remove_image(tag)
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if error.status_code != 409:  # 409: a container still uses it; the next build tries again
            raise _build_engine_error(f"remove the old image {tag}", error) from error


def _pull_official_base(client: docker.DockerClient, report: ReportProgress) -> bool:
    report(f"images: asking the container registry for {OFFICIAL_BASE_IMAGE}")
    repository, _, tag = OFFICIAL_BASE_IMAGE.partition(":")
    with _set_api_timeout(client, _REGISTRY_TIMEOUT_S):
        try:
            if _follow_log(client.api.pull(repository, tag=tag, stream=True, decode=True), log=[]):
                return False
        except (docker.errors.DockerException, requests.RequestException):
            return False
    return _has_image(client, OFFICIAL_BASE_IMAGE)


def _bootstrap_base(client: docker.DockerClient, report: ReportProgress) -> None:
    """Build the same base image without a registry: run debootstrap in a folder, then `docker import` it."""
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
        try:
            client.api.import_image_from_file(str(archive), repository, tag, changes=[f"LABEL {DEBOOTSTRAP_LABEL}"])
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise _build_engine_error("import the Debian base", error) from error


def _run_command(command: list[str]) -> None:
    """Run one step of building the base image. Its output is shown only if it fails."""
    try:
        completed = subprocess.run(command, capture_output=True, text=True, timeout=_DEBOOTSTRAP_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable(f"{command[0]} did not finish within {_DEBOOTSTRAP_TIMEOUT_S} s") from error
    if completed.returncode != 0:
        tail = "\n".join(
            f"    {line}" for line in (completed.stdout + completed.stderr).splitlines()[-_LOG_TAIL_LINES:]
        )
        raise EngineUnavailable(
            f"{command[0]} failed ({completed.returncode}):\n{tail}\n"
            "Check that this machine reaches Debian's archive, then run: sandbox images build"
        )
