"""The environments of a deployment: a folder, a file system that can be full, a network, or an engine to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import docker
from docker.errors import DockerException

from sandbox.box.docker.engine_client import open_engine_client
from sandbox.box.docker.images import ensure_images
from tests.chaos.deployment import Deployment, run_deployment
from tests.chaos.faults import Fault
from tests.queue.submit_and_wait import wait_until
from tests.redis_server import PERSISTENCE, find_server_binary

TMPFS_SIZE = "48m"
ENGINE_TIMEOUT_S = 60.0
ENGINE_DOWN_S = 3.0
NETWORK_DOWN_S = 6.0
Environment = Callable[[Path], AbstractContextManager[Deployment]]


@contextmanager
def deploy_plain(folder: Path) -> Iterator[Deployment]:
    with run_deployment(home=folder / "home") as deployment:
        yield deployment


@contextmanager
def deploy_on_tmpfs(folder: Path) -> Iterator[Deployment]:
    """Deploy with a small file system as the home folder."""
    home = folder / "home"
    home.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={TMPFS_SIZE},mode=700", "tmpfs", str(home)], check=True)
    try:
        with run_deployment(home=home) as deployment:
            yield deployment
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


class OwnEngine:
    """A separate Docker engine: its data, state, socket and containerd are not those of the machine's engine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self._group = f"chaos-engine-{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        folder = self._folder
        (folder / "docker.pid").unlink(missing_ok=True)
        with (folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    *("--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")),
                    *("--pidfile", str(folder / "docker.pid"), "--host", self.host),
                    *("--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"),
                    *("--cgroup-parent", f"/{self._group}"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(self._is_answering, "the engine answers", ENGINE_TIMEOUT_S)

    def load(self, tags: Sequence[str]) -> None:
        """Copy images from the machine's engine."""
        saved = subprocess.Popen(["docker", "save", *tags], stdout=subprocess.PIPE)
        subprocess.run(["docker", "--host", self.host, "load"], stdin=saved.stdout, check=True, capture_output=True)
        assert saved.wait() == 0

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    @property
    def containerd_pid(self) -> int:
        return int((self._folder / "exec/containerd/containerd.pid").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(ENGINE_TIMEOUT_S)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            where = line.split()[1]
            if where.startswith(f"{self._folder}/"):
                subprocess.run(["umount", "-l", where], check=False)
        for group in sorted(Path("/sys/fs/cgroup").glob(f"*/{self._group}/**/"), reverse=True):
            with suppress(OSError):
                group.rmdir()

    def _is_answering(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "dockerd.log").read_text()[-2_000:]
        with suppress(DockerException):
            client = docker.DockerClient(self.host)
            client.ping()
            client.close()
            return True
        return False


_engine: list[OwnEngine] = []


@contextmanager
def deploy_on_own_engine(folder: Path) -> Iterator[Deployment]:
    engine = OwnEngine(folder)
    with open_engine_client() as client:
        tags = ensure_images(client, ("python", "cpp", "js"), lambda line: None)
    engine.start()
    try:
        engine.load(list(tags.values()))
        _engine.append(engine)
        with run_deployment(home=folder / "home", docker_host=engine.host) as deployment:
            yield deployment
    finally:
        _engine.clear()
        engine.stop()


def kill_dockerd(deployment: Deployment) -> None:
    """Kill the engine and all boxes for three seconds; then the machine's init restarts the engine."""
    supervisors = [int(box.attrs["State"]["Pid"]) for box in deployment.list_boxes()]
    _engine[0].kill()
    for pid in filter(None, supervisors):
        os.kill(pid, signal.SIGKILL)
    time.sleep(ENGINE_DOWN_S)
    _engine[0].start()


def kill_containerd(deployment: Deployment) -> None:
    os.kill(_engine[0].containerd_pid, signal.SIGKILL)
    time.sleep(ENGINE_DOWN_S)


class NetworkLink:
    """A network namespace with a single link to this machine."""

    def __init__(self) -> None:
        self.name = f"chaos{os.getpid() % 10_000}"
        self._link = f"cx{os.getpid() % 10_000}"
        self.local_address, self.remote_address = "10.213.77.1", "10.213.77.2"

    def create(self) -> None:
        far = f"{self._link}n"
        for command in (
            f"netns add {self.name}",
            f"link add {self._link} type veth peer name {far}",
            f"link set {far} netns {self.name}",
            f"addr add {self.local_address}/30 dev {self._link}",
            f"link set {self._link} up",
            f"-n {self.name} addr add {self.remote_address}/30 dev {far}",
            f"-n {self.name} link set {far} up",
            f"-n {self.name} link set lo up",
        ):
            subprocess.run(["ip", *command.split()], check=True)

    def cut(self) -> None:
        subprocess.run(["ip", "link", "set", self._link, "down"], check=True)

    def restore(self) -> None:
        subprocess.run(["ip", "link", "set", self._link, "up"], check=True)

    def remove(self) -> None:
        subprocess.run(["ip", "link", "del", self._link], check=False)
        subprocess.run(["ip", "netns", "del", self.name], check=False)


_link: list[NetworkLink] = []


@contextmanager
def deploy_across_network(folder: Path) -> Iterator[Deployment]:
    """Deploy with Redis over TCP, two workers in this machine's network, and two more behind a link."""
    link = NetworkLink()
    link.create()
    redis = subprocess.Popen(
        [
            *(
                find_server_binary(),
                "--bind",
                link.local_address,
                "--protected-mode",
                "no",
                "--port",
                "6390",
                "--dir",
                str(folder),
            ),
            *PERSISTENCE,
        ],
        stdout=subprocess.DEVNULL,
    )
    url = f"redis://{link.local_address}:6390"
    try:
        _link.append(link)
        with (
            run_deployment(home=folder / "home", redis_url=url) as deployment,
            _run_remote_workers(deployment, link, url),
        ):
            yield deployment
    finally:
        _link.clear()
        redis.terminate()
        redis.wait()
        link.remove()


@contextmanager
def _run_remote_workers(deployment: Deployment, link: NetworkLink, url: str) -> Iterator[None]:
    home = deployment.home.with_name("far")
    home.mkdir()
    command = ["ip", "netns", "exec", link.name, *deployment.build_command("worker", "--slots", "2", "--redis", url)]
    with (home / "log").open("wb") as log:
        workers = subprocess.Popen(
            command,
            env={**deployment.environment, "SANDBOX_HOME": str(home)},
            cwd=deployment.root,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(
            lambda: len(deployment.connect_redis().zrange("sandbox:workers", 0, -1)) >= 4, "all workers are ready"
        )
        yield
    finally:
        workers.send_signal(signal.SIGTERM)
        workers.wait(60)


def cut_network(deployment: Deployment) -> None:
    """Cut the link for longer than a lease. The workers behind it still reach their engine, but not Redis."""
    _link[0].cut()
    time.sleep(NETWORK_DOWN_S)
    _link[0].restore()


ENVIRONMENT_FAULTS = (
    Fault("cut-network", "network between two of four workers and Redis cut for six seconds", cut_network, "net"),
    Fault("kill-containerd", "kill -9 of containerd", kill_containerd, "engine"),
    Fault(
        "kill-dockerd",
        "kill -9 of dockerd and of every box; dockerd started again after three seconds",
        kill_dockerd,
        "engine",
    ),
)
ENVIRONMENTS: dict[str, Environment] = {
    "plain": deploy_plain,
    "tmpfs": deploy_on_tmpfs,
    "net": deploy_across_network,
    "engine": deploy_on_own_engine,
}
