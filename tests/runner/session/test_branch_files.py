"""Files of a branch, snapshots and restores, and paths that try to leave the work directory."""

from __future__ import annotations

import io
import tarfile

import pytest

from sandbox.box.docker.engine import DockerEngine
from tests.runner.session.session_box import SessionBox


def test_a_file_goes_in_and_out(box: SessionBox) -> None:
    content = bytes(range(256)) * 1000
    assert box.ask("put_file", content=content, path="a/b.bin").header["done"]
    assert box.execute("import os; (os.path.getsize('a/b.bin'), os.stat('a/b.bin').st_uid == os.getuid())").text == (
        "(256000, True)"
    )
    assert box.ask("get_file", path="a/b.bin").content == content
    for path, entry_type, size in (("", "directory", None), ("a", "file", 256_000)):
        answer = box.ask("list_files", path=path).header
        assert answer["complete"]
        (entry,) = answer["files"]
        assert (entry["path"], entry["type"]) == (f"{path}/b.bin" if path else "a", entry_type)
        assert size in {None, entry["size"]}
    assert box.ask("delete_file", path="a").header["done"]
    assert box.ask("list_files", path="").header["files"] == []
    assert box.ask("get_file", path="a/b.bin").header["error"]["code"] == "not_found"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "link/passwd", "passwd", "fifo", "dir", ""])
@pytest.mark.parametrize("action", ["get_file", "put_file"])
def test_no_path_leaves_the_work_directory(box: SessionBox, action: str, path: str) -> None:
    box.execute(
        "import os\nos.symlink('/etc', 'link'); os.symlink('/etc/passwd', 'passwd'); os.mkfifo('fifo'); os.mkdir('dir')"
    )
    assert box.ask(action, path=path, content=b"x").header["error"]["code"] in {"file_error", "not_found"}


def test_deleting_a_link_deletes_only_the_link(box: SessionBox) -> None:
    box.execute("import os\nos.makedirs('/tmp/kept/x'); os.symlink('/tmp/kept', 'link')")
    box.ask("delete_file", path="link")
    assert box.execute("os.path.exists('/tmp/kept/x'), os.path.lexists('link')").text == "(True, False)"


def test_a_snapshot_restores_files_links_and_modes(box: SessionBox) -> None:
    box.execute(
        "import os\nos.makedirs('d/e'); open('d/e/f', 'w').write('text'); os.chmod('d/e/f', 0o755)\n"
        "os.link('d/e/f', 'hard'); os.symlink('d/e/f', 'soft'); os.chmod('d/e', 0o500)"
    )
    archive = box.ask("snapshot").content
    box.execute("open('new', 'w').close(); os.unlink('hard')")
    assert box.ask("restore", content=archive).header["restored"] == 5
    code = "(sorted(os.listdir()), open('soft').read(), os.stat('hard').st_nlink, oct(os.stat('hard').st_mode & 0o777))"
    assert box.execute(code).text == "(['d', 'hard', 'soft'], 'text', 2, '0o755')"


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../x", tarfile.REGTYPE, ""),
        ("/tmp/escaped", tarfile.REGTYPE, ""),
        ("hard", tarfile.LNKTYPE, "/etc/passwd"),
        ("hard", tarfile.LNKTYPE, "../../x"),
        ("out/escaped", tarfile.REGTYPE, ""),
    ],
)
def test_an_archive_cannot_write_outside(box: SessionBox, name: str, kind: bytes, link: str) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        outside = tarfile.TarInfo("out")
        outside.type, outside.linkname = tarfile.SYMTYPE, "/tmp"
        archive.addfile(outside)
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        archive.addfile(member, io.BytesIO())
    assert box.ask("restore", content=content.getvalue()).header["error"]["code"] in {"file_error", "not_found"}
    assert box.execute("import os; os.path.exists('/tmp/escaped')").text == "False"


@pytest.mark.parametrize("action", ["get_file", "snapshot"])
def test_a_file_or_snapshot_over_the_maximum_is_an_error_with_both_sizes(box: SessionBox, action: str) -> None:
    box.execute("import os\nopen('f', 'wb').write(b'x' * 5000); os.link('f', 'g')")
    error = box.ask(action, path="f", max_bytes=4999).header["error"]
    assert error["code"] == "file_error"
    assert "5000 bytes" in error["message"]
    assert "4999" in error["message"]
    assert len(box.ask(action, path="f", max_bytes=30_000).content) >= 5000


def test_the_headers_of_an_archive_count_toward_its_maximum(box: SessionBox) -> None:
    box.execute("for number in range(100): open(f'empty{number}', 'w').close()")
    error = box.ask("snapshot", max_bytes=20_000).header["error"]
    assert error["code"] == "file_error"
    assert "at least" in error["message"]


@pytest.mark.parametrize("action", ["get_file", "snapshot"])
def test_the_default_maximum_is_64_mib(engine: DockerEngine, action: str) -> None:
    box = SessionBox(engine)
    box.open(limits={"processes": 16, "file_mb": 1024, "disk_mb": 512})
    box.execute("open('hole', 'wb').truncate(900 << 20)")
    error = box.ask(action, path="hole").header["error"]
    assert error["code"] == "file_error"
    assert f"{900 << 20} bytes, the maximum is {64 << 20}" in error["message"]
    assert box.execute("1 + 1").text == "2"
    box.close()
