"""The directories of a box: what a run finds there, and that nothing of it remains."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sandbox.runner import frames
from sandbox.runner.supervisor.workspace import CannotPlaceFiles, Workspace

Places = tuple[Workspace, Path, Path]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Return a workspace, its work directory, and one shared place."""
    root, shared = tmp_path / "box", tmp_path / "tmp"
    root.mkdir()
    shared.mkdir()
    return Workspace(str(root), [str(shared)]), root / "work", shared


def test_a_run_finds_its_program_and_its_files(places: Places) -> None:
    workspace, work, _ = places
    workspace.load({"main.py": b"print(1)"})
    workspace.prepare(None, {"data/deep/in.txt": b"1", "top": b"2"})
    assert (work / "main.py").read_bytes() == b"print(1)"
    assert (work / "data/deep/in.txt").read_bytes() == b"1"
    assert (work / "top").read_bytes() == b"2"
    assert stat.S_IMODE(work.stat().st_mode) == 0o700


def test_clearing_leaves_nothing_of_a_run_and_keeps_the_program(places: Places) -> None:
    workspace, work, shared = places
    workspace.load({"main.py": b"print(1)"})
    workspace.prepare(None, {"in": b"1"})
    (work / "main.py").write_bytes(b"changed")
    (work / "nested/deep").mkdir(parents=True)
    (shared / "left").write_bytes(b"x")
    (shared / "link").symlink_to("/etc")
    os.mkfifo(shared / "fifo")
    workspace.clear()
    assert not work.exists()
    assert list(shared.iterdir()) == []
    workspace.prepare(None, {})
    assert (work / "main.py").read_bytes() == b"print(1)"
    assert [path.name for path in work.iterdir()] == ["main.py"]


def test_clearing_does_not_follow_links(places: Places, tmp_path: Path) -> None:
    workspace, work, shared = places
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(b"x")
    workspace.load({"main.py": b""})
    workspace.prepare(None, {})
    (shared / "link").symlink_to(outside)
    (work / "link").symlink_to(outside)
    workspace.clear()
    assert (outside / "precious").exists()


def test_clearing_an_empty_workspace_succeeds(places: Places) -> None:
    workspace, work, shared = places
    workspace.clear()
    workspace.clear()
    assert not work.exists()
    assert list(shared.iterdir()) == []


def test_clearing_works_after_a_program_removed_its_own_directory(places: Places) -> None:
    workspace, work, _ = places
    workspace.load({"main.py": b""})
    workspace.prepare(None, {})
    (work / "main.py").unlink()
    (work / "other").write_bytes(b"")
    workspace.clear()
    assert not work.exists()


def test_the_next_program_replaces_the_last_one(places: Places) -> None:
    workspace, work, _ = places
    workspace.load({"main.py": b"first", "more.py": b"x"})
    workspace.load({"main.py": b"second"})
    workspace.prepare(None, {})
    assert [(path.name, path.read_bytes()) for path in work.iterdir()] == [("main.py", b"second")]


def test_build_outputs_are_kept_for_every_run_and_the_source_is_unchanged(places: Places) -> None:
    workspace, work, _ = places
    workspace.load({"main.c": b"source"}, ["main"])
    workspace.prepare(None, {}, with_build_outputs=False)
    (work / "main").write_bytes(b"built")
    assert workspace.keep_build_outputs(["main"])
    workspace.clear()
    for _ in range(2):
        workspace.prepare(None, {})
        assert (work / "main").read_bytes() == b"built"
        assert os.access(work / "main", os.X_OK)
        workspace.clear()


@pytest.mark.parametrize("made", ["nothing", "link", "directory"])
def test_only_plain_files_are_kept(places: Places, made: str) -> None:
    workspace, work, _ = places
    workspace.load({"main.c": b"source"}, ["main"])
    workspace.prepare(None, {}, with_build_outputs=False)
    if made == "link":
        (work / "main").symlink_to("/etc/passwd")
    elif made == "directory":
        (work / "main").mkdir()
    assert not workspace.keep_build_outputs(["main"])


def test_files_are_copied_directly_from_their_memfd(places: Places) -> None:
    workspace, work, _ = places
    large = os.urandom(3 << 20)
    descriptor, index = frames.pack_memory_file("files", {"large": large, "empty": b"", "in/a/folder": b"x"})
    workspace.prepare(None, frames.locate_parts(descriptor, index, 4 << 20))
    os.close(descriptor)
    assert (work / "large").read_bytes() == large
    assert (work / "empty").read_bytes() == b""
    assert (work / "in/a/folder").read_bytes() == b"x"


def test_a_file_shorter_than_announced_is_an_error(places: Places) -> None:
    descriptor, _ = frames.pack_memory_file("files", {"short": b"12345"})
    with pytest.raises(frames.FrameError, match="5 bytes shorter"):
        places[0].prepare(None, frames.locate_parts(descriptor, [("short", 10)], 100))
    os.close(descriptor)


@pytest.mark.parametrize("name", ["x" * 256, "main.py/x", "main.py/deep/er", "folder", "a/b"])
def test_files_with_impossible_paths_leave_the_workspace_usable(places: Places, name: str) -> None:
    workspace, work, _ = places
    workspace.load({"main.py": b"print(1)"})
    with pytest.raises(CannotPlaceFiles, match=f"files: '{name}': "):
        workspace.prepare(None, {"folder/in": b"", "a": b"", name: b"1"})
    workspace.clear()
    workspace.prepare(None, {})
    assert [path.name for path in work.iterdir()] == ["main.py"]
