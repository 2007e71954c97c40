"""Remove the containers that killed workers left behind."""

from __future__ import annotations

import time
from pathlib import Path

import docker
from docker.errors import NotFound

from sandbox.box.docker.box_handle import remove_container
from sandbox.box.docker.engine_client import ENGINE_ERRORS
from sandbox.box.docker.socket_folder import remove_old_box_folders, remove_socket_folders

HOME_LABEL = "sandbox.home"
MAX_START_S = 120.0  # a worker starts a container at once after creating it; the engine may be busy
MAX_FOLDER_AGE_S = 600.0  # longer than all timeouts of a start together


def remove_boxes(home: Path) -> int:
    """Remove all containers left behind by workers of this state directory; return how many were removed.

    No such worker may be running. Also remove the folder of a box if its worker was killed while starting it.
    """
    remove_socket_folders(home)
    try:
        client = docker.from_env(timeout=60)
        found = client.containers.list(all=True, filters=_build_filters(home), ignore_removed=True)
    except ENGINE_ERRORS:
        return 0
    for container in found:
        remove_container(container)
    client.close()
    return len(found)


def remove_unstarted_boxes(client: docker.DockerClient, home: Path, min_age_s: float = MAX_START_S) -> int:
    """Remove containers whose worker was killed between creating and starting them; return how many were removed.

    The engine removes a container by itself only after it has run. Workers of this state directory may be running:
    containers younger than `min_age_s` seconds stay, because their workers may be about to start them. Also remove the
    folders for the sockets of such boxes.
    """
    remove_old_box_folders(home, MAX_FOLDER_AGE_S)
    filters = {**_build_filters(home), "status": "created"}
    removed = 0
    for summary in client.api.containers(all=True, filters=filters):
        if time.time() - summary["Created"] < min_age_s:
            continue
        try:
            container = client.containers.get(summary["Id"])
        except NotFound:
            continue
        if container.status == "created":
            remove_container(container)
            removed += 1
    return removed


def _build_filters(home: Path) -> dict[str, str]:
    return {"label": f"{HOME_LABEL}={home}"}
