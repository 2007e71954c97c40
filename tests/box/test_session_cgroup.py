"""Sessions get the CPU that nothing else wants, and nearly none of what the rest of the machine uses."""

from __future__ import annotations

import os
import time
from pathlib import Path

import docker
import pytest

from sandbox.box.cgroup import CGROUP_ROOT
from sandbox.box.docker.images import compute_image_tag
from sandbox.box.docker.session_cgroup import (
    BOX_SHARES,
    PARENT_PREFIX,
    PARENT_SHARES,
    PARENT_WEIGHT,
    build_cpu_options,
    remove_parents,
)

PARENT = f"{PARENT_PREFIX}test"
BUSY_LOOPS = "import os\nfor _ in range(os.cpu_count()):\n    if not os.fork():\n        while True: pass\nos.wait()"


@pytest.mark.parametrize(
    ("version", "controller", "file", "share"),
    [("1", "cpu", "cpu.shares", PARENT_SHARES), ("2", "", "cpu.weight", PARENT_WEIGHT)],
)
def test_session_boxes_have_a_parent_with_a_small_share(
    tmp_path: Path, version: str, controller: str, file: str, share: str
) -> None:
    (tmp_path / controller / "docker").mkdir(parents=True)
    information = {"CgroupDriver": "cgroupfs", "CgroupVersion": version}
    assert build_cpu_options(information, PARENT, tmp_path) == {"cgroup_parent": f"/{PARENT}"}
    assert (tmp_path / controller / PARENT / file).read_text() == share
    assert build_cpu_options(information, PARENT, tmp_path) == {"cgroup_parent": f"/{PARENT}"}  # it exists already


def test_without_access_to_the_engines_cgroups_each_box_has_the_smallest_share(tmp_path: Path) -> None:
    alone = {"cpu_shares": BOX_SHARES}
    assert build_cpu_options({"CgroupDriver": "cgroupfs", "CgroupVersion": "2"}, PARENT, tmp_path) == alone
    assert not list(tmp_path.iterdir())
    (tmp_path / "docker").mkdir()
    assert build_cpu_options({"CgroupDriver": "systemd", "CgroupVersion": "2"}, PARENT, tmp_path) == alone
    (tmp_path / PARENT).touch()  # the folder cannot be made
    assert build_cpu_options({"CgroupDriver": "cgroupfs", "CgroupVersion": "2"}, PARENT, tmp_path) == alone


def test_busy_sessions_leave_the_cpu_to_other_containers(
    docker_client: docker.DockerClient, images: dict[str, str]
) -> None:
    assert images
    options = build_cpu_options(docker_client.info(), PARENT)
    command, image = ["python3", "-c", BUSY_LOOPS], compute_image_tag("python")
    started = [
        docker_client.containers.run(image, command, detach=True, auto_remove=True, network_mode="none", **given)
        for given in (options, {})
    ]
    try:
        time.sleep(2)
        session, other = (
            container.stats(stream=False)["cpu_stats"]["cpu_usage"]["total_usage"] for container in started
        )
    finally:
        for container in started:
            container.remove(force=True)
        remove_parents(PARENT)
    assert not list(CGROUP_ROOT.glob(f"**/{PARENT}"))
    assert session < 0.4 * other, (session, other)


def test_empty_parents_of_killed_hosts_are_removed(tmp_path: Path) -> None:
    own, old, used, new = (tmp_path / "cpu" / f"{PARENT_PREFIX}{name}" for name in ("own", "old", "used", "new"))
    for folder in (own, old, used / "box", new):
        folder.mkdir(parents=True)
    for folder in (old, used):
        os.utime(folder, (1.0, 1.0))
    remove_parents(own.name, tmp_path)
    assert sorted((tmp_path / "cpu").iterdir()) == [new, used]
