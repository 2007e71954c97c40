"""Build the image of one environment in a container, and commit the container.

A container, unlike a Dockerfile, has all limits of the engine: memory, CPUs, processes, capabilities and time. Its main
process sleeps for as long as the build may take, and each step is an `exec` beside it. When the sleep ends, the engine
kills every step and removes the container, even if this process is gone. Variables of an `exec` are not part of the
image. The build has a network of its own, no mounts, and no variable of the service.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
LOG_FILE = "/tmp/build.log"
MAX_LOG_BYTES = 2_000
POLL_INTERVAL_S = 0.05
SIZE_CHECK_INTERVAL_S = 1.0
GRACE_S = 10  # the build ends by itself before the engine ends it
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
        ["/bin/sleep", str(ceil(settings.environment_build_s) + GRACE_S)],
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
        self._deadline = 0.0
        self._size_checked_at = 0.0

    def run(self) -> None:
        """Run all steps. Raises EnvironmentFailed or one of ENGINE_ERRORS."""
        self._container.start()
        self._deadline = time.monotonic() + self._settings.environment_build_s
        recipe = self._recipe
        if recipe.files:
            self._put(FILES_FOLDER, recipe.files)
        if recipe.apt:
            self._step("apt", [*INSTALL_APT, *recipe.apt])
        if recipe.pip:
            self._put(TOOLS_FOLDER, _read_tools())
            self._step("pip", [*INSTALL_PIP, *recipe.pip])
        self._step("finish", ["/bin/sh", "-c", FINISH, PATH_FILE])
        self._check_size("finish")

    def _put(self, folder: str, files: Mapping[str, bytes]) -> None:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, content in files.items():
                entry = tarfile.TarInfo(f"{folder.lstrip('/')}/{path}")
                entry.size, entry.mode = len(content), 0o755
                tar.addfile(entry, io.BytesIO(content))
        self._container.put_archive("/", archive.getvalue())

    def _step(self, name: str, command: Sequence[str]) -> None:
        """Run a command in the container. Raises EnvironmentFailed if it fails or reaches a limit."""
        variables = {**self._settings.environment_variables, "SSL_CERT_FILE": f"{TOOLS_FOLDER}/certificates.pem"}
        variables |= {"HOME": "/root", "TMPDIR": "/tmp", "LANG": "C.UTF-8"}
        folder = FILES_FOLDER if self._recipe.files else "/"
        api = self._client.api
        logged = ["/bin/sh", "-c", 'exec "$@" > "$0" 2>&1', LOG_FILE, *command]
        step = api.exec_create(self._container.id, logged, environment=variables, workdir=folder)["Id"]
        api.exec_start(step, detach=True)
        while (state := api.exec_inspect(step))["Running"]:
            if time.monotonic() >= self._deadline:
                raise self._fail(name, f"it took more than {self._settings.environment_build_s:g} s")
            if time.monotonic() - self._size_checked_at >= SIZE_CHECK_INTERVAL_S:
                self._check_size(name)
            time.sleep(POLL_INTERVAL_S)
        if state["ExitCode"] == KILLED:
            limit_mb = self._settings.environment_build_memory_mb
            raise self._fail(name, f"it was killed, probably because it needed more than {limit_mb} MiB")
        if state["ExitCode"] != 0:
            raise self._fail(name, f"exit code {state['ExitCode']}")

    def _fail(self, name: str, reason: str) -> EnvironmentFailed:
        log = ""
        with suppress(*ENGINE_ERRORS):
            log = self._container.exec_run(["tail", "-c", str(MAX_LOG_BYTES), LOG_FILE]).output.decode(errors="replace")
        return EnvironmentFailed(f"the environment was not built: step {name}: {reason}\n{log}".strip())

    def _check_size(self, name: str) -> None:
        """Raise EnvironmentFailed if the container has written more than the environment may add."""
        self._size_checked_at = time.monotonic()
        found = self._client.api.containers(all=True, size=True, filters={"id": self._container.id})
        if found and found[0].get("SizeRw", 0) > self._settings.environment_max_mb * MB:
            raise self._fail(name, f"it adds more than {self._settings.environment_max_mb} MB to its base image")


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
