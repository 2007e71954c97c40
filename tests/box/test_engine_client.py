"""Errors of the Docker engine become errors of the service, wherever they occur."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker.errors import DockerException

from sandbox.box.docker.engine import fetch_engine_info
from sandbox.box.docker.engine_client import open_engine_client, translate_engine_errors
from sandbox.errors import BoxError, EngineUnavailable


def test_an_engine_that_does_not_answer_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineUnavailable, match=r"cannot reach the Docker engine: .* Check that"):
        fetch_engine_info()


@pytest.mark.docker
def test_an_error_in_the_block_of_a_client_is_translated_too() -> None:
    with pytest.raises(EngineUnavailable, match="cannot use the Docker engine: 404"), open_engine_client() as client:
        client.api.inspect_container("no-such-container")


def test_an_error_of_one_box_has_no_advice_about_the_engine() -> None:
    with (
        pytest.raises(BoxError, match=r"^cannot remove the container: gone$"),
        translate_engine_errors("remove the container", BoxError),
    ):
        raise DockerException("gone")


def test_other_errors_pass() -> None:
    with pytest.raises(BrokenPipeError), translate_engine_errors("list the images"):
        raise BrokenPipeError
