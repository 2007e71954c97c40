"""Calls to the Docker engine that build and find images, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import docker
import docker.errors
import requests

from sandbox.errors import EngineUnavailable, InfrastructureError

LOG_TAIL_LINES = 15
# The client raises errors of its HTTP library too, for example when the engine does not answer in time.
ENGINE_ERRORS = (docker.errors.DockerException, requests.RequestException)


@contextmanager
def translate_engine_errors(action: str, error_type: type[InfrastructureError] = EngineUnavailable) -> Iterator[None]:
    """Convert errors of the engine to `error_type`, with a message that begins with "cannot" and `action`."""
    try:
        yield
    except ENGINE_ERRORS as error:
        advice = ". Check that the Docker engine runs: docker info" if error_type is EngineUnavailable else ""
        raise error_type(f"cannot {action}: {error}{advice}") from error


@contextmanager
def open_engine_client(timeout_s: float = 60.0) -> Iterator[docker.DockerClient]:
    """Open a client for the Docker engine, for use outside this package. Raises `EngineUnavailable`."""
    with translate_engine_errors("reach the Docker engine"):
        client = docker.from_env(timeout=timeout_s)
    try:
        with translate_engine_errors("use the Docker engine"):
            yield client
    finally:
        client.close()


def has_image(client: docker.DockerClient, tag: str) -> bool:
    with translate_engine_errors("look for the images"):
        try:
            client.api.inspect_image(tag)
        except docker.errors.ImageNotFound:
            return False
    return True


@contextmanager
def set_api_timeout(client: docker.DockerClient, timeout_s: float) -> Iterator[None]:
    """Let calls in the `with` block wait up to `timeout_s` seconds for the engine to send data."""
    usual = client.api.timeout
    client.api.timeout = timeout_s
    try:
        yield
    finally:
        client.api.timeout = usual


def follow_log(answers: Iterable[dict[str, Any]], log: list[str]) -> str:
    """Read the engine's messages to the end and append the output to `log`; return the error, or an empty string."""
    failure = ""
    for answer in answers:
        log.extend(line for line in str(answer.get("stream", "")).splitlines() if line.strip())
        failure = str(answer.get("error", failure))
    return failure
