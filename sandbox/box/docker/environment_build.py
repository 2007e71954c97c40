"""Build the image of one environment in a container, and commit the container.

A container, unlike a Dockerfile, has all limits of the engine: memory, CPUs, processes, capabilities and time. Its main
process sleeps for as long as the build may take, and each step is an `exec` beside it. When the sleep ends, the engine
kills every step and removes the container, even if this process is gone. Variables of an `exec` are not part of the
image. The build has a network of its own, no mounts, and no variable of the service.
"""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from ssl import get_default_verify_paths

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from sandbox.box.cgroup import MIB
from sandbox.box.docker.box_handle import remove_container
from sandbox.box.docker.engine_client import ENGINE_ERRORS, set_api_timeout
from sandbox.box.environment import Recipe
from sandbox.config import WorkerSettings
from sandbox.errors import EnvironmentFailed

ENVIRONMENT_LABEL = "sandbox.environment"
FILES_FOLDER = "/opt/environment"
TOOLS_FOLDER = "/tmp/build"
CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"]  # what dpkg and apt need
MAX_PROCESSES = 512
MAX_LOG_CHARS = 2_000
SIZE_CHECK_INTERVAL_S = 1.0
KILLED = 137  # the exit code of a step that was killed
MB = 1_000_000

PATH_FILE = "/usr/local/lib/python3.11/dist-packages/environment.pth"
INSTALL_APT = ["/usr/local/sbin/install-packages"]
INSTALL_PIP = [
    f"{TOOLS_FOLDER}/uv", "pip", "install", "--python", "/usr/bin/python3", "--system", "--break-system-packages",
    "--no-cache", "--compile-bytecode", "--no-progress", "--",
]  # fmt: skip
# No program of a box may change its uid, and nothing of the build but packages and files stays.
FINISH = (
    f"if [ -d {FILES_FOLDER} ]; then mkdir -p ${{0%/*}}; echo {FILES_FOLDER} > $0; "
    f"/usr/bin/python3 -m compileall -q {FILES_FOLDER} > /dev/null || true; fi; "
    "find / -xdev -type f -perm /6000 -exec chmod a-s {} + ; rm -rf /tmp/* /tmp/.[!.]* /root/.cache"
)


def build_environment(
    client: docker.DockerClient, recipe: Recipe, base_tag: str, tag: str, settings: WorkerSettings
) -> None:
    """Build the image `tag`. Raises EnvironmentFailed with the end of the log, or one of ENGINE_ERRORS."""
    network = _ensure_network(client, settings.environment_network)
    limit = settings.environment_build_memory_mb * MIB
    container = client.containers.create(
        base_tag,
        ["/bin/sleep", str(ceil(settings.environment_build_s))],
        auto_remove=True,
        labels={ENVIRONMENT_LABEL: recipe.id},
        network=network,
        cap_drop=["ALL"],
        cap_add=CAPABILITIES,
        security_opt=["no-new-privileges"],
        pids_limit=MAX_PROCESSES,
        mem_limit=limit,
        memswap_limit=limit,
        nano_cpus=int(settings.box_cpus * 1e9),
        init=True,
        runtime=settings.docker_runtime or None,
        log_config={"Type": "none"},
    )
    try:
        _Build(client, container, recipe, settings).run()
        repository, _, version = tag.partition(":")
        with set_api_timeout(client, settings.environment_build_s):
            container.commit(repository, version, conf={"Cmd": []})
    finally:
        with suppress(*ENGINE_ERRORS):
            remove_container(container)


def _ensure_network(client: docker.DockerClient, name: str) -> str:
    """Create the network if needed. Containers in it reach other networks, but not each other."""
    try:
        client.networks.get(name)
    except NotFound:
        isolated = {"com.docker.network.bridge.enable_icc": "false"}
        try:
            client.networks.create(name, driver="bridge", options=isolated, check_duplicate=True)
        except APIError as error:
            if error.status_code != 409:  # 409: another process was faster
                raise
    return name


class _Build:
    """Runs the steps of one build in a container."""

    def __init__(
        self, client: docker.DockerClient, container: Container, recipe: Recipe, settings: WorkerSettings
    ) -> None:
        self._client = client
        self._container = container
        self._recipe = recipe
        self._settings = settings
        self._log = ""
        self._deadline = 0.0
        self._too_large = False

    def run(self) -> None:
        self._container.start()
        self._deadline = time.monotonic() + self._settings.environment_build_s
        recipe = self._recipe
        with self._watch_size():
            if recipe.files:
                self._put(FILES_FOLDER, recipe.files)
            if recipe.apt:
                self._step("apt", [*INSTALL_APT, *recipe.apt])
            if recipe.pip:
                self._put(TOOLS_FOLDER, _read_tools())
                self._step("pip", [*INSTALL_PIP, *recipe.pip])
            self._step("finish", ["/bin/sh", "-c", FINISH, PATH_FILE])
            self._check_size()

    def _put(self, folder: str, files: Mapping[str, bytes]) -> None:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, content in files.items():
                entry = tarfile.TarInfo(f"{folder.lstrip('/')}/{path}")
                entry.size, entry.mode = len(content), 0o755
                tar.addfile(entry, io.BytesIO(content))
        self._container.put_archive("/", archive.getvalue())

    def _step(self, name: str, command: Sequence[str]) -> None:
        """Run a command in the container. Raises EnvironmentFailed if it fails."""
        folder = FILES_FOLDER if self._recipe.files else "/"
        variables = {**self._settings.environment_variables, "SSL_CERT_FILE": f"{TOOLS_FOLDER}/certificates.pem"}
        variables |= {"HOME": "/root", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}
        api = self._client.api
        try:
            step = api.exec_create(self._container.id, command, environment=variables, workdir=folder)["Id"]
            with set_api_timeout(self._client, self._settings.environment_build_s + 60):
                for chunk in api.exec_start(step, stream=True):
                    self._log = (self._log + chunk.decode(errors="replace"))[-MAX_LOG_CHARS:]
            code = api.exec_inspect(step)["ExitCode"]
        except ENGINE_ERRORS as error:
            if not self._is_over_limit():
                raise
            raise self._fail(name, str(error)) from error
        if code != 0:
            raise self._fail(name, f"exit code {code}")

    def _is_over_limit(self) -> bool:
        return self._too_large or time.monotonic() >= self._deadline

    def _fail(self, name: str, reason: str) -> EnvironmentFailed:
        settings = self._settings
        if self._too_large:
            reason = f"it adds more than {settings.environment_max_mb} MB to its base image"
        elif time.monotonic() >= self._deadline:
            reason = f"it took more than {settings.environment_build_s:g} s"
        elif reason == f"exit code {KILLED}":
            reason = f"it was killed, probably because it needed more than {settings.environment_build_memory_mb} MiB"
        return EnvironmentFailed(f"the environment was not built: step {name}: {reason}\n{self._log}".strip())

    @contextmanager
    def _watch_size(self) -> Iterator[None]:
        """Kill the container as soon as it holds more than the environment may add."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(SIZE_CHECK_INTERVAL_S):
                with suppress(*ENGINE_ERRORS):
                    if self._read_size() > self._settings.environment_max_mb * MB:
                        self._too_large = True
                        self._container.kill()

        watcher = threading.Thread(target=watch, name="build-size", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _check_size(self) -> None:
        if self._read_size() > self._settings.environment_max_mb * MB:
            self._too_large = True
            raise self._fail("finish", "")

    def _read_size(self) -> int:
        """Return how many bytes the container has written. An own connection, because a step may be using the other."""
        client = docker.from_env(timeout=60)
        try:
            found = client.api.containers(all=True, size=True, filters={"id": self._container.id})
            return int(found[0].get("SizeRw", 0)) if found else 0
        finally:
            client.close()


def _read_tools() -> dict[str, bytes]:
    """Return the files that the step `pip` needs: uv, and the certificates that this host trusts."""
    import uv

    try:
        tools = {"uv": Path(uv.find_uv_bin()).read_bytes()}
    except OSError as error:
        raise EnvironmentFailed(f"the environment was not built: uv is not installed on this host: {error}") from error
    if certificates := get_default_verify_paths().cafile:
        tools["certificates.pem"] = Path(certificates).read_bytes()
    elif (system := Path("/etc/ssl/certs/ca-certificates.crt")).is_file():
        tools["certificates.pem"] = system.read_bytes()
    return tools
