"""Calls to the Docker engine that build and find images, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import docker
import docker.errors
import requests

from sandbox.errors import EngineUnavailable

LOG_TAIL_LINES = 15


@contextmanager
def open_engine_client(timeout_s: float = 60.0) -> Iterator[docker.DockerClient]:
    """Open a client for the Docker engine, for use outside this package. Raises `EngineUnavailable`."""
    try:
        client = docker.from_env(timeout=timeout_s)
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise build_engine_error("reach the Docker engine", error) from error
    try:
        yield client
    finally:
        client.close()


def has_image(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.api.inspect_image(tag)
    except docker.errors.ImageNotFound:
        return False
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise build_engine_error("look for the images", error) from error
    return True


def build_engine_error(action: str, error: Exception) -> EngineUnavailable:
    return EngineUnavailable(f"cannot {action}: {error}. Check that the Docker engine runs: docker info")


@contextmanager
def set_api_timeout(client: docker.DockerClient, timeout_s: float) -> Iterator[None]:
    """Allow the engine up to `timeout_s` of silence during calls in the `with` block."""
    usual = client.api.timeout
    client.api.timeout = timeout_s
    try:
        yield
    finally:
        client.api.timeout = usual


def follow_log(answers: Iterable[dict[str, Any]], log: list[str]) -> str:
    """Read an engine's answers to the end and append the output to `log`; return the error, or an empty string."""
    failure = ""
    for answer in answers:
        log.extend(line for line in str(answer.get("stream", "")).splitlines() if line.strip())
        failure = str(answer.get("error", failure))
    return failure
