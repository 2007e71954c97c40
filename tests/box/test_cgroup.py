"""The kernel enforces the limits, and the memory limit is the requested one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox.box.box import Box
from sandbox.box.cgroup import CGROUP_ROOT, MIB, MemoryCgroup
from sandbox.box.cpu_pinning import assign_cpus, format_cpu_list
from sandbox.box.docker.engine import CAPABILITIES, DockerEngine
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.config import WorkerSettings
from tests.box.running import run_in

SLACK_BYTES = 40 * MIB  # memory of a box besides the program: supervisor, warm interpreter, kernel


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory) -> WorkerSettings:
    return WorkerSettings(home=tmp_path_factory.mktemp("cgroup"), box_processes=123, box_cpus=0.75)


@pytest.fixture
def own_box(images: dict[str, str], settings: WorkerSettings) -> Iterator[Box]:
    assert images
    engine = DockerEngine(settings, 92)
    yield Box(engine.start("python"))
    engine.close()


@pytest.fixture
def container(docker_client: docker.DockerClient, own_box: Box, settings: WorkerSettings) -> Any:
    assert own_box.runs == 0
    (one,) = docker_client.containers.list(filters={"label": f"{HOME_LABEL}={settings.home}"})
    return one


@pytest.fixture
def group(container: Any) -> Iterator[MemoryCgroup]:
    found = MemoryCgroup.open_for_process(int(container.attrs["State"]["Pid"]))
    if found is None:
        pytest.skip("the engine's cgroups cannot be written from here, so its own update is used")
    yield found
    found.close()


def _read_limit_bytes(container: Any) -> int:
    pid = int(container.attrs["State"]["Pid"])
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "memory":
            return int((CGROUP_ROOT / "memory" / path.lstrip("/") / "memory.limit_in_bytes").read_text())
        if not controllers and (CGROUP_ROOT / path.lstrip("/") / "memory.max").exists():
            return int((CGROUP_ROOT / path.lstrip("/") / "memory.max").read_text())
    raise AssertionError("the container has no memory cgroup")


def test_the_container_has_every_isolation_option(container: Any, settings: WorkerSettings) -> None:
    host = container.attrs["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["Privileged"] is False
    assert host["CapDrop"] == ["ALL"]
    assert sorted(name.removeprefix("CAP_") for name in host["CapAdd"]) == sorted(CAPABILITIES)
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["PidsLimit"] == settings.box_processes
    assert host["NanoCpus"] == int(settings.box_cpus * 1e9)
    assert host["Memory"] == host["MemorySwap"] > 0
    assert host["LogConfig"]["Type"] == "none"
    assert host["IpcMode"] == "private"
    assert not host["Devices"]


def test_the_only_thing_mounted_from_the_host_is_the_sockets_folder_and_it_is_empty(
    container: Any, own_box: Box, settings: WorkerSettings
) -> None:
    (mount,) = container.attrs["Mounts"]
    assert (mount["Destination"], mount["RW"]) == ("/run/sandbox", False)
    assert list(settings.home.rglob("*.sock")) == []
    assert run_in(own_box, "import os; print(os.path.exists('/run/sandbox/worker.sock'))").stdout == b"False\n"


def test_the_kernels_limit_follows_each_runs_limit_up_and_down(
    container: Any, own_box: Box, group: MemoryCgroup
) -> None:
    assert group.read_used_bytes() > 0
    for memory_mb in (64, 512, 32, 128, 128):
        assert run_in(own_box, "print(1)", memory_mb=memory_mb).ended_well
        assert memory_mb * MIB < _read_limit_bytes(container) < memory_mb * MIB + SLACK_BYTES


def test_the_limit_comes_down_after_a_run_that_used_all_of_it(container: Any, own_box: Box) -> None:
    fill = "import os\nwith open('/dev/shm/big', 'wb') as file:\n    for _ in range(300): file.write(b'x' * (1 << 20))"
    assert run_in(own_box, fill, memory_mb=512, file_mb=400).ended_well
    assert run_in(own_box, "print(1)", memory_mb=32).ended_well
    assert _read_limit_bytes(container) < 32 * MIB + SLACK_BYTES


def test_the_peak_is_of_this_run_alone(own_box: Box, group: MemoryCgroup) -> None:
    if group.read_peak_mb() is None:
        pytest.skip("this kernel does not let the peak be reset")
    large = run_in(own_box, "block = b'x' * (80 << 20)")
    small = run_in(own_box, "print(1)")
    assert 80 <= large.usage.memory_mb < 110
    assert small.usage.memory_mb < 40


def test_the_process_limit_is_the_boxs(container: Any, own_box: Box, settings: WorkerSettings) -> None:
    assert container.name
    code = "import os\nstarted = 0\nwhile os.fork(): started += 1\nimport time; time.sleep(30)"
    outcome = run_in(own_box, f"try:\n exec({code!r})\nexcept BlockingIOError: print(started)", processes=512)
    assert 0 < int(outcome.stdout) < settings.box_processes


def test_a_process_outside_any_container_has_no_cgroup_to_control() -> None:
    assert MemoryCgroup.open_for_process(1 << 22) is None


def test_a_pinned_box_has_the_cpus_of_its_slot_alone(
    images: dict[str, str], docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert images
    settings = WorkerSettings(home=tmp_path_factory.mktemp("pinned"), slots=2, pin="boxes")
    mine = assign_cpus(1, 2)
    engine = DockerEngine(settings, 1)
    box = Box(engine.start("python"))
    try:
        (one,) = docker_client.containers.list(filters={"label": f"{HOME_LABEL}={settings.home}"})
        assert one.attrs["HostConfig"]["CpusetCpus"] == format_cpu_list(mine)
        assert run_in(box, "import os; print(os.sched_getaffinity(0))").stdout.decode().strip() == str(set(mine))
    finally:
        engine.close()
