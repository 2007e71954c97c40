"""Session boxes in real containers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.box.docker.engine import DockerEngine
from tests.runner.session.session_box import SessionBox


@pytest.fixture(scope="module")
def shared_box(engine: DockerEngine) -> Iterator[SessionBox]:
    box = SessionBox(engine)
    yield box
    box.close()


@pytest.fixture
def box(engine: DockerEngine) -> Iterator[SessionBox]:
    """A session box with an open Python branch 0."""
    box = SessionBox(engine)
    box.open()
    yield box
    box.close()


@pytest.fixture
def shell(engine: DockerEngine) -> Iterator[SessionBox]:
    """A session box with an open shell as branch 0."""
    box = SessionBox(engine)
    box.open(kind="shell")
    yield box
    box.close()
