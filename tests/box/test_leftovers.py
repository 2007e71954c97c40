"""Containers that a killed worker created but never started are removed by the next worker of its state directory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import docker

from sandbox.box.docker.images import compute_image_tag
from sandbox.box.docker.leftovers import HOME_LABEL, MAX_FOLDER_AGE_S, remove_boxes, remove_unstarted_boxes
from sandbox.box.docker.socket_folder import ensure_socket_folder, get_fallback_folder, get_temporary_folder


def _create(client: docker.DockerClient, home: Path) -> str:
    labels = {HOME_LABEL: str(home)}
    container = client.containers.create(
        compute_image_tag("python"), "sleep 60", labels=labels, auto_remove=True, network_mode="none"
    )
    return str(container.id)


def _list_ids(client: docker.DockerClient, home: Path) -> set[str]:
    found = client.containers.list(all=True, filters={"label": f"{HOME_LABEL}={home}"}, ignore_removed=True)
    return {str(container.id) for container in found}


def test_only_old_unstarted_boxes_of_the_same_home_are_removed(
    docker_client: docker.DockerClient, images: dict[str, str], tmp_path: Path
) -> None:
    assert images
    mine, other = tmp_path / "mine", tmp_path / "other"
    try:
        unstarted, started, foreign = (_create(docker_client, home) for home in (mine, mine, other))
        docker_client.containers.get(started).start()
        assert remove_unstarted_boxes(docker_client, mine) == 0  # all of them may be about to start
        assert _list_ids(docker_client, mine) == {unstarted, started}
        assert remove_unstarted_boxes(docker_client, mine, min_age_s=0) == 1
        assert _list_ids(docker_client, mine) == {started}
        assert _list_ids(docker_client, other) == {foreign}
    finally:
        remove_boxes(mine)
        remove_boxes(other)
    assert not _list_ids(docker_client, mine)


def test_old_folders_of_boxes_that_did_not_start_are_removed(
    docker_client: docker.DockerClient, tmp_path: Path
) -> None:
    long_ago = time.time() - MAX_FOLDER_AGE_S - 1
    starting, killed = (ensure_socket_folder(tmp_path) / f"sandbox-{name}" for name in ("0-1", "0-2"))
    fallback = get_fallback_folder(tmp_path) / "sandbox-0-3"
    try:
        for folder in (starting, killed, fallback):
            folder.mkdir(parents=True)
        for folder in (killed, fallback):
            os.utime(folder, (long_ago, long_ago))
        remove_unstarted_boxes(docker_client, tmp_path)
        assert [folder.exists() for folder in (starting, killed, fallback)] == [True, False, False]
    finally:
        remove_boxes(tmp_path)
    assert not get_temporary_folder(tmp_path).exists()
