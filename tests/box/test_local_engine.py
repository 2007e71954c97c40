"""A local box isolates like a container, for root and for unprivileged users, and reports what it cannot isolate."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox import languages
from sandbox.box import cgroup
from sandbox.box.box import Box
from sandbox.box.local import cgroup as local_cgroup
from sandbox.box.local import engine as local_engine
from sandbox.box.local import host_isolation
from sandbox.box.local.cgroup import BoxCgroup
from sandbox.box.local.engine import LocalEngine
from sandbox.box.local.host_isolation import HostIsolation
from sandbox.box.slot import Slot
from sandbox.box.uids import UidBlock
from sandbox.config import WorkerSettings
from sandbox.errors import EngineUnavailable

ROOT = Path(local_engine.__file__).resolve().parents[3]
LAUNCHER = "sandbox.runner.launcher.launcher"
HELLO = '#include <stdio.h>\nint main(void) { char w[9]; scanf("%8s", w); printf("hi %s\\n", w); return 0; }\n'
RIGHTS = ["root", "plain", "nobody", "filtered", "nobody+filtered"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up rights to try lesser hosts")


class RestrictedWorker:
    """A process of `restricted_worker`, which reads and writes lines of JSON.

    It runs from a copy of the code, because the checkout may be where only root may read.
    """

    def __init__(self, rights: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sandbox-tests-"))
        self.home.chmod(0o777)
        source = self.home / "source"
        for package in ("sandbox", "tests/box"):
            shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "tests/__init__.py", source / "tests")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.box.restricted_worker", str(self.home), rights],
            cwd=source,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.missing_isolation: list[str] = self._read()

    def run(self, code: str, **options: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"code": code, **options}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = self._read()
        return answer

    def close(self) -> None:
        self.process.communicate()
        shutil.rmtree(self.home, ignore_errors=True)

    def _read(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the worker ended with {self.process.wait()}"
        return json.loads(line)


@contextmanager
def _run_worker(rights: str) -> Iterator[RestrictedWorker]:
    worker = RestrictedWorker(rights)
    try:
        yield worker
    finally:
        worker.close()


@pytest.fixture(scope="module", params=RIGHTS)
def any_worker(request: pytest.FixtureRequest) -> Iterator[RestrictedWorker]:
    with _run_worker(request.param) as worker:
        yield worker


@pytest.fixture(scope="module", params=["root", "plain", "nobody"])
def isolated_worker(request: pytest.FixtureRequest) -> Iterator[RestrictedWorker]:
    """A worker on a host whose kernel allows namespaces."""
    with _run_worker(request.param) as worker:
        if any("file system" in layer for layer in worker.missing_isolation):
            pytest.skip(f"this kernel gives no namespaces: {worker.missing_isolation[0]}")
        yield worker


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(WorkerSettings(home=tmp_path), slot=48)
    yield engine
    engine.close()


def _find_launchers(home: Path) -> set[int]:
    """Return the processes of the local boxes of this state directory, launchers and supervisors alike."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = folder.joinpath("cmdline").read_bytes()
        except OSError:
            continue
        if LAUNCHER.encode() in command and str(home).encode() in command:
            found.add(int(folder.name))
    return found


def _find_cgroups(pid: int) -> list[Path]:
    return list(cgroup.CGROUP_ROOT.glob(f"**/{local_cgroup.PARENT_NAME}/*-{pid}-*"))


def _wait_until(condition: Callable[[], object]) -> bool:
    patience = time.monotonic() + 10
    while not condition():
        if time.monotonic() > patience:
            return False
        time.sleep(0.02)
    return True


# --- verdicts, on every kind of host


def test_python_and_c_programs_run(any_worker: RestrictedWorker) -> None:
    assert any_worker.run("input()")["status"] == "runtime_error"
    assert any_worker.run("print(sum(range(10)))")["stdout"] == "45\n"
    assert any_worker.run(HELLO, language="c")["stdout"].startswith("hi ")


@pytest.mark.parametrize(
    ("code", "limits", "status"),
    [
        ("while True: pass", {"cpu_time_s": 0.3}, "time_limit_exceeded"),
        ("import time; time.sleep(60)", {"wall_time_s": 0.5}, "time_limit_exceeded"),
        ("x = bytearray(400 << 20)", {"memory_mb": 64}, "memory_limit_exceeded"),
        ("x = bytearray(40 << 20)", {"memory_mb": 64}, "ok"),
        ("while True: print('x' * 1000)", {"output_kb": 100}, "output_limit_exceeded"),
        ("1 / 0", {}, "runtime_error"),
        ("import os; os.abort()", {}, "runtime_error"),
        ("int main(void) { return 3 }", {"language": "c"}, "compile_error"),
    ],
)
def test_verdicts_are_right(any_worker: RestrictedWorker, code: str, limits: dict[str, Any], status: str) -> None:
    assert any_worker.run(code, **limits)["status"] == status


def test_nothing_a_run_leaves_is_there_for_the_next(any_worker: RestrictedWorker) -> None:
    leave = """
        import os, subprocess
        open("left", "w").close()
        for place in ("/tmp/left", "/dev/shm/left"):
            if os.path.exists("/box"): open(place, "w").close()
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    """
    assert any_worker.run(leave)["status"] == "ok"
    look = """
        import os
        print([name for place in (".", "/tmp", "/dev/shm") for name in os.listdir(place) if name == "left"])
        pids = [name for name in os.listdir("/proc") if name.isdigit()] if os.path.exists("/box") else []
        print("sleep\\n" in [open(f"/proc/{pid}/comm").read() for pid in pids])
    """
    assert any_worker.run(look)["stdout"] == "[]\nFalse\n"


def test_no_program_reaches_a_network(any_worker: RestrictedWorker) -> None:
    code = """
        import socket
        try:
            socket.create_connection(("127.0.0.1", 22), 1)
        except OSError as error:
            print(error.errno in (97, 99, 101))
    """
    assert any_worker.run(code)["stdout"] == "True\n"


def test_no_program_reaches_the_zygote_or_the_supervisor(any_worker: RestrictedWorker) -> None:
    code = """
        import os
        parent = os.getppid()
        grandparent = int(open(f"/proc/{parent}/stat").read().rpartition(")")[2].split()[1])
        for pid in (parent, grandparent):
            for name in ("mem", "environ", "fd/0"):
                try:
                    os.close(os.open(f"/proc/{pid}/{name}", os.O_RDWR if name == "mem" else os.O_RDONLY))
                    print("open", name)
                except PermissionError:
                    pass
    """
    assert any_worker.run(code)["stdout"] == ""


def test_a_program_has_no_capability_and_gains_none(any_worker: RestrictedWorker) -> None:
    code = (
        "print({line.split()[1] for line in open('/proc/self/status') if line[:6] in ('CapEff', 'CapPrm', 'CapInh')})"
    )
    assert any_worker.run(code)["stdout"] == "{'0000000000000000'}\n"


# --- isolation layers, on hosts with namespaces


def test_a_program_sees_no_process_of_the_machine(isolated_worker: RestrictedWorker) -> None:
    code = (
        "import os\nprint(sorted(int(pid) for pid in os.listdir('/proc') if pid.isdigit())[:2], os.getpid() < 99_999)"
    )
    assert isolated_worker.run(code)["stdout"].startswith("[1, 2] True")


def test_a_program_sees_little_of_the_machines_files_and_writes_none(isolated_worker: RestrictedWorker) -> None:
    code = """
        import os
        hidden = ("root", "home", "work", "srv", "mnt", "etc/shadow", "proc/1/root/root")
        print([name for name in hidden if os.path.exists("/" + name)])
        ours = ("/", "/usr", "/usr/bin", "/etc", "/opt/sandbox", "/dev", "/proc/sys/kernel", "/var")
        for place in (*ours, "/box", "/box/program"):
            try:
                open(place + "/intruder", "w")
                print("written", place)
            except OSError:
                pass
    """
    answer = isolated_worker.run(code)
    seen, *written = answer["stdout"].splitlines()
    assert seen == "[]"
    if not any(layer.startswith("users") for layer in isolated_worker.missing_isolation):
        assert written == []
    assert not set(written) - {"written /box", "written /box/program"}
    # If programs share the worker's user, a box whose folders were written to is not reused.
    assert isolated_worker.run("print(1)")["first_try"] is not bool(written)


def test_there_are_a_handful_of_devices_and_no_other_network_interface(isolated_worker: RestrictedWorker) -> None:
    code = """
        import os
        print(sorted(os.listdir("/dev")))
        print([line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line])
        print(os.uname().nodename, os.urandom(2) != b"", len(open("/dev/zero", "rb").read(3)))
    """
    devices, interfaces, rest = isolated_worker.run(code)["stdout"].splitlines()
    assert devices == str(sorted("fd full null random shm stderr stdin stdout urandom zero".split()))  # noqa: SIM905
    assert "eth" not in interfaces
    assert rest == "box True 3"


def test_files_in_memory_have_a_size(isolated_worker: RestrictedWorker) -> None:
    code = (
        "import os\nprint([os.statvfs(p).f_blocks * os.statvfs(p).f_frsize >> 20 for p in ('/tmp', '.', '/dev/shm')])"
    )
    assert isolated_worker.run(code)["stdout"] == "[512, 512, 512]\n"


# --- missing isolation is reported


def test_root_with_cgroups_lacks_nothing() -> None:
    with _run_worker("root") as worker:
        group = BoxCgroup.make(WorkerSettings(home=worker.home), 49)
        if group is None:
            pytest.skip("this machine's cgroups cannot be written")
        group.remove()
        assert worker.missing_isolation == []


def test_an_unprivileged_worker_reports_missing_users_and_memory_limits() -> None:
    with _run_worker("nobody") as worker:
        text = "\n".join(worker.missing_isolation)
        assert "memory, process and CPU limits by the kernel" in text
        assert "newuidmap" in text or shutil.which("newuidmap")


def test_without_namespaces_each_missing_layer_is_named_with_a_remedy() -> None:
    with _run_worker("nobody+filtered") as worker:
        assert [layer.partition(":")[0] for layer in worker.missing_isolation] == [
            "file system",
            "processes",
            "network",
            "shared memory",
            "host name",
            "users",
            "memory, process and CPU limits by the kernel (cgroup)",
        ]
        assert "seccomp=unconfined" in worker.missing_isolation[0]


def test_the_module_says_the_same_as_an_engine(engine: LocalEngine) -> None:
    assert local_engine.list_missing_isolation() == engine.list_missing_isolation()


# --- the boxes of an engine


def test_a_box_is_up_in_half_a_second(engine: LocalEngine) -> None:
    assert engine.host.namespaces is not None
    took = []
    for _ in range(3):
        began = time.monotonic()
        box = Box(engine.start("python"))
        took.append(time.monotonic() - began)
        box.close()
    assert min(took) < 0.5


def test_a_destroyed_box_leaves_no_process_and_no_cgroup(engine: LocalEngine, tmp_path: Path) -> None:
    box = Box(engine.start("python"))
    assert len(_find_launchers(tmp_path)) == 2
    box.close()
    box.close()
    assert _find_launchers(tmp_path) == set()
    assert _find_cgroups(os.getpid()) == []


@pytest.mark.parametrize("rights", RIGHTS)
def test_a_worker_killed_in_mid_run_leaves_nothing(rights: str) -> None:
    before = set(Path(tempfile.gettempdir()).glob("sandbox-47-*"))
    worker = RestrictedWorker(rights)
    assert worker.run("print(1)")["status"] == "ok"
    folders = set(Path(tempfile.gettempdir()).glob("sandbox-47-*")) - before
    assert bool(folders) is ("filtered" in rights)
    assert worker.process.stdin is not None
    endless = "import subprocess, time\nsubprocess.Popen(['sleep', '987654'], start_new_session=True)\ntime.sleep(60)"
    worker.process.stdin.write(json.dumps({"code": endless}) + "\n")
    worker.process.stdin.flush()
    assert _wait_until(lambda: _is_running("987654"))
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.close()
    assert _wait_until(lambda: not _is_running("987654"))
    assert _wait_until(lambda: not _find_launchers(worker.home))
    assert _wait_until(lambda: not _find_cgroups(worker.process.pid))
    assert _wait_until(lambda: not any(folder.exists() for folder in folders))
    assert str(worker.home) not in Path("/proc/mounts").read_text()


def _is_running(argument: str) -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.joinpath("cmdline").read_bytes() == f"sleep\0{argument}\0".encode():
                return True
        except OSError:
            continue
    return False


def test_cgroups_that_a_worker_left_are_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: gone.pid)
        left = BoxCgroup.make(WorkerSettings(home=tmp_path), 49)
    if left is None:
        pytest.skip("this machine's cgroups cannot be written")
    assert _find_cgroups(gone.pid)
    LocalEngine(WorkerSettings(home=tmp_path), slot=49).close()
    assert _find_cgroups(gone.pid) == []


def test_cgroups_of_version_2_get_their_limits_in_the_files_of_version_2(tmp_path: Path) -> None:
    """Uses folders that look like a version 2 hierarchy."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    (tmp_path / local_cgroup.PARENT_NAME).mkdir()
    for folder in (tmp_path, tmp_path / local_cgroup.PARENT_NAME):
        (folder / "cgroup.subtree_control").write_text("cpu memory pids\n")
    group = BoxCgroup(tmp_path)
    group.create_cgroups("1-2-3", WorkerSettings(home=tmp_path, box_cpus=1.5, box_processes=99))
    (folder,) = group.folders
    assert (folder / "pids.max").read_text() == "99"
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert group.bind_mounts == [(str(folder), "/sys/fs/cgroup")]
    assert group.missing_limits == []


def test_a_language_that_is_not_installed_is_named(engine: LocalEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    slot = Slot(engine, 10, 60.0)
    slot.require_language(languages.get_language("cpp"))
    monkeypatch.setattr(local_engine, "SEARCH_PATH", "/nowhere")
    with pytest.raises(EngineUnavailable, match=r"cpp: g\+\+ is not on this machine; install it"):
        slot.require_language(languages.get_language("cpp"))
    with pytest.raises(EngineUnavailable, match="javascript: node is not on this machine; install it"):
        slot.require_language(languages.get_language("javascript"))


def test_boxes_get_uids_of_their_own_as_far_as_the_host_lends_them() -> None:
    everything, container = [(0, 4_294_967_295)], [(0, 65_536)]
    with closing(UidBlock()) as first, closing(UidBlock()) as second:
        host = HostIsolation((), "host", everything)
        assert host.find_uid_base(first, 0, 20_000) != host.find_uid_base(second, 0, 20_000)
        assert (
            HostIsolation((), "host", container).find_uid_base(first, 0, 20_000) == host_isolation.FIRST_SUBORDINATE_UID
        )
        assert (
            HostIsolation((), "range", everything).find_uid_base(first, 0, 20_000)
            == host_isolation.FIRST_SUBORDINATE_UID
        )
        assert HostIsolation((), "host", container).find_uid_base(first, 0, 80_000) is None
        assert HostIsolation((), "one", everything).find_uid_base(first, 0, 20_000) is None
