"""Two services on one machine: their programs share no uid, and none learns where a service keeps its state."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import ContainerCollection

from sandbox.box.box import Box
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.leftovers import remove_boxes
from sandbox.box.docker.socket_folder import ensure_socket_folder, get_fallback_folder, get_temporary_folder
from sandbox.box.engine import Engine
from sandbox.box.local.engine import LocalEngine
from sandbox.box.uids import BOXES_PER_BLOCK, FIRST_UID, UIDS_PER_BOX, UidBlock
from sandbox.config import WorkerSettings
from tests.box.running import run_in

UID = "import os\nprint(os.getuid())"
MOUNTS = "print(open('/pro' + 'c/self/mountinfo').read())"


@pytest.fixture(params=["docker", "local"])
def engines(request: pytest.FixtureRequest) -> Iterator[list[Engine]]:
    """Two engines of the same kind, for the same slot of two state directories."""
    if request.param == "docker":
        request.getfixturevalue("images")
    kind: Any = DockerEngine if request.param == "docker" else LocalEngine
    with ExitStack() as stack:
        homes = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alices-home-"))) for _ in range(2)]
        made = [stack.enter_context(closing(kind(WorkerSettings(home=home), 0))) for home in homes]
        if made[0].list_missing_isolation():
            pytest.skip(f"this machine lacks {made[0].list_missing_isolation()}")
        yield made
        for home in homes:
            remove_boxes(home)


def test_programs_of_two_services_have_uids_of_their_own(engines: list[Engine]) -> None:
    uids = []
    for engine in engines:
        with closing(Box(engine.start("python"))) as box:
            uids += [int(run_in(box, UID).stdout) for _ in range(3)]
    assert len(set(uids)) == 6
    assert abs(uids[0] - uids[3]) >= UIDS_PER_BOX * BOXES_PER_BLOCK


def test_no_program_reads_the_homes_path_in_its_mounts(engines: list[Engine]) -> None:
    with closing(Box(engines[0].start("python"))) as box:
        mounts = run_in(box, MOUNTS).stdout
    assert b" /proc " in mounts
    assert b"alices-home" not in mounts


def test_a_block_of_uids_is_free_again_when_its_holder_is_gone() -> None:
    with closing(UidBlock()) as first, closing(UidBlock()) as second:
        assert first.number != second.number
        second.close()
        with closing(UidBlock()) as third:
            assert third.number == second.number
        assert first.compute_base(0) == first.compute_base(BOXES_PER_BLOCK) >= FIRST_UID
        assert first.compute_base(1) - first.compute_base(0) == UIDS_PER_BOX


def test_an_engine_with_other_temporary_files_gets_its_socket_in_the_state_directory(
    images: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert images
    with closing(DockerEngine(WorkerSettings(home=home), 0)) as engine:
        create = ContainerCollection.create

        def create_without_source(*arguments: Any, **options: Any) -> Any:
            source = Path(options["mounts"][0]["Source"])
            if source.is_relative_to(get_temporary_folder(home)):
                shutil.rmtree(source)  # the engine cannot see it
            return create(*arguments, **options)

        monkeypatch.setattr(ContainerCollection, "create", create_without_source)
        with closing(Box(engine.start("python"))) as box:
            assert run_in(box, "print(1)").ended_well
        assert engine._folder == get_fallback_folder(home)


def test_a_folder_that_others_may_enter_is_not_used(tmp_path: Path) -> None:
    folder = get_temporary_folder(tmp_path)
    folder.mkdir(mode=0o755)
    try:
        assert ensure_socket_folder(tmp_path) == get_fallback_folder(tmp_path)
        folder.chmod(0o700)
        assert ensure_socket_folder(tmp_path) == folder
        (folder / "left").mkdir()
        remove_boxes(tmp_path)
        assert not folder.exists()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
