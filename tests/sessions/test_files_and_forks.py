"""Files, snapshots and forks of a session."""

from __future__ import annotations

import io
import tarfile
import threading
import time

import httpx
import pytest

from sandbox.client import Client
from sandbox.client.session_calls import build_file_call
from sandbox.errors import BadRequest, NotFound, SandboxError, SessionEnded
from sandbox.runner.enums import MAX_FORK_COUNT


def test_files_go_in_and_come_out(client: Client) -> None:
    with client.session() as session:
        session.put_file("a/b.bin", bytes(range(256)))
        assert session.execute("len(open('a/b.bin', 'rb').read())").result == {"text/plain": "256"}
        session.execute("open('a/c.txt', 'w').write('written')")
        assert session.get_file("a/c.txt") == b"written"
        assert {entry.path: entry.type for entry in session.list_files()} == {"a": "directory"}
        assert {entry.path: entry.size for entry in session.list_files("a")} == {"a/b.bin": 256, "a/c.txt": 7}
        session.delete_file("a")
        assert session.list_files() == []
        with pytest.raises(NotFound):
            session.get_file("a/c.txt")


OUTSIDE = ["../x", "a/../../x", "/etc/passwd", "../../../jobs/1", "."]


@pytest.mark.parametrize("path", OUTSIDE)
def test_the_client_sends_no_path_outside_the_work_directory(path: str) -> None:
    for method, answer in (("GET", bytes), ("PUT", type(None)), ("DELETE", type(None))):
        with pytest.raises(BadRequest, match="path") as caught:
            build_file_call(method, "0" * 32, path, answer)
        assert caught.value.field == "path.path"


@pytest.mark.parametrize("path", OUTSIDE)
def test_the_service_refuses_paths_outside_the_work_directory(client: Client, url: str, path: str) -> None:
    with client.session() as session:
        encoded = path.replace(".", "%2e").replace("/", "%2f")  # a client would remove the dots
        for method in ("GET", "PUT", "DELETE"):
            response = httpx.request(method, f"{url}/sessions/{session.id}/files/{encoded}")
            assert response.status_code == 422, response.text
            assert [error["field"] for error in response.json()["errors"]] == ["path.path"]


def test_a_symlink_does_not_lead_out_of_the_work_directory(client: Client) -> None:
    with client.session() as session:
        session.execute("import os\nos.symlink('/etc', 'out')\nos.symlink('/etc/passwd', 'file')")
        for path in ("out/passwd", "file"):
            with pytest.raises(BadRequest):
                session.get_file(path)
        with pytest.raises(BadRequest):
            session.put_file("out/new", b"")


def test_a_snapshot_restores_the_files_and_leaves_the_variables(client: Client) -> None:
    with client.session() as session:
        session.execute("x = 1\nopen('one', 'w').write('1')")
        archive = session.snapshot()
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            assert [member.name.removeprefix("./") for member in opened if member.isreg()] == ["one"]
        session.execute("x = 2\nimport os\nos.remove('one')\nopen('two', 'w').write('2')")
        session.restore(archive)
        assert [entry.path for entry in session.list_files()] == ["one"]
        assert session.execute("x").result == {"text/plain": "2"}


def test_forks_go_separate_ways(client: Client) -> None:
    with client.session() as session:
        session.execute("x = [1]\nopen('f', 'w').write('parent')")
        first, second = session.fork(2)
        with first, second:
            first.execute("x.append('first')\nopen('f', 'w').write('first')")
            assert second.execute("x, open('f').read()").result == {"text/plain": "([1], 'parent')"}
            assert first.execute("x, open('f').read()").result == {"text/plain": "([1, 'first'], 'first')"}
            assert session.execute("x, open('f').read()").result == {"text/plain": "([1], 'parent')"}
            assert first.describe().parent == session.id


def test_a_fork_can_be_forked_and_outlives_its_parent(client: Client) -> None:
    session = client.session()
    session.open()
    session.execute("depth = 0")
    for depth in range(3):
        (fork,) = session.fork()
        session.close()
        session = fork
        session.execute("depth += 1")
        assert session.execute("depth").result == {"text/plain": str(depth + 1)}
    session.close()


def test_forks_cannot_reach_each_other(client: Client) -> None:
    with client.session() as session:
        session.execute("import os\nsecret = 'parent'\npid = os.getpid(), os.getcwd()")
        parent = session.execute("pid").result
        (fork,) = session.fork()
        with fork:
            fork.execute("parent_pid, parent_directory = pid")
            attacks = {
                "os.kill(parent_pid, 9)": ("PermissionError", "ProcessLookupError"),
                "os.listdir(parent_directory)": ("PermissionError",),
                "open(f'/proc/{parent_pid}/mem', 'rb')": ("PermissionError", "FileNotFoundError"),
                "os.setuid(os.stat(parent_directory).st_uid)": ("PermissionError",),
            }
            for attack, errors in attacks.items():
                answer = fork.execute(attack)
                assert answer.error is not None, attack
                assert answer.error.type in errors, attack
            assert session.execute("pid").result == parent


def test_forks_count_against_the_places_of_the_host(client: Client) -> None:
    with client.session() as session, pytest.raises(SandboxError, match="free places"):
        session.fork(MAX_FORK_COUNT)


def test_an_exit_of_bash_ends_the_session(client: Client) -> None:
    with client.session(language="bash") as session:
        answer = session.command("exit 3")
        assert (answer.status, answer.state, answer.exit_code) == ("ended", "lost", 3)
        with pytest.raises(SessionEnded):
            session.command("true")


def test_a_snapshot_that_is_too_large_fails_alone(client: Client) -> None:
    with client.session() as session:
        session.execute("x = 1\nfor name in 'ab':\n    open(name, 'wb').write(bytes(40 << 20))")
        with pytest.raises(BadRequest):
            session.snapshot()
        assert session.execute("x").result == {"text/plain": "1"}


def test_a_session_can_be_closed_during_a_fork(client: Client) -> None:
    """A fork of a session that ends meanwhile is refused, or it lives on."""
    session = client.session()
    session.open()
    session.execute("x = 1")
    forked: list[object] = []

    def fork() -> None:
        try:
            forked.extend(session.fork(2))
        except SandboxError as error:
            forked.append(error)

    thread = threading.Thread(target=fork)
    thread.start()
    time.sleep(0.005)
    session.close()
    thread.join()
    for each in forked:
        if isinstance(each, SandboxError):
            assert isinstance(each, (BadRequest, NotFound, SessionEnded))
        else:
            assert each.execute("x").result == {"text/plain": "1"}  # type: ignore[attr-defined]
            each.close()  # type: ignore[attr-defined]
    with client.session() as fresh:
        assert fresh.execute("globals().get('x')").result is None
