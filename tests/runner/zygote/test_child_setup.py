"""A child whose setup fails never counts as the end of its program, whichever step fails, in C and in Python."""

from __future__ import annotations

import array
import errno
import os
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sandbox.runner import frames, launch_spec
from sandbox.runner.contract import Limits, Mode
from sandbox.runner.launch_spec import SetupStep
from sandbox.runner.messages import RunLimits
from sandbox.runner.supervisor.zygotes import ENVIRONMENT, FORK_SERVER_LIBRARY, ZYGOTE_CODE, build_linker_variables

PACKAGE = Path(launch_spec.__file__).parents[1]
LIMITS = RunLimits(**asdict(Limits()))
UID = 1_234_567
SETUP_STEPS = [step for step in SetupStep if step is not SetupStep.STARTED]
MODES = [Mode.EXEC, Mode.FORK, Mode.FORK_PLAIN]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a child another uid")


class Zygote:
    """A zygote as a supervisor starts it, without a box around it."""

    def __init__(
        self,
        runner: Path,
        work: Path,
        fail_at: int = 0,
        prepare: Callable[[], None] | None = None,
        modules: Sequence[str] = (),
    ) -> None:
        self._work = work
        self._connection, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        code = ZYGOTE_CODE.format(path=str(runner))
        self.process = subprocess.Popen(
            ["/usr/bin/python3", "-c", code, str(child_end.fileno()), str(work), str(fail_at), *modules],
            pass_fds=[child_end.fileno()],
            stdin=subprocess.DEVNULL,
            env={**ENVIRONMENT, **build_linker_variables(f"{runner}/{FORK_SERVER_LIBRARY}")},
            preexec_fn=prepare,
        )
        child_end.close()
        assert self._connection.recv(64) == b"ready"

    def run(
        self, mode: Mode, command: Sequence[str] = ("python3", "main.py"), directory: str = "", **limits: Any
    ) -> tuple[launch_spec.ExitReport, bytes]:
        """Return the report on a child, and what it wrote to stdout and stderr combined."""
        environment = launch_spec.pack_environment(ENVIRONMENT)
        run_limits = LIMITS._replace(**limits)
        packed = launch_spec.pack(
            directory or str(self._work), command, environment, mode, UID, run_limits, run_limits.cpu_time_s
        )
        descriptor, (reader, writer) = frames.create_memory_file("job", packed), os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        rights = array.array("i", [descriptor, nothing, writer, writer])
        self._connection.sendmsg([b"run"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        frames.close_descriptors([descriptor, nothing, writer])
        report = launch_spec.unpack_report(self._connection.recv(64))
        with os.fdopen(reader, "rb") as output:
            return report, output.read()

    def close(self) -> None:
        self._connection.close()
        self.process.wait(10)


@pytest.fixture(scope="module", params=["C", "Python"])
def runner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runner")
    shutil.copytree(PACKAGE / "runner", folder / "sandbox/runner", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (folder / "sandbox/__init__.py").touch()
    source = folder / "sandbox/runner/zygote/forkserver.c"
    if request.param == "C":
        options = "-O2 -Wall -Wextra -Werror -shared -fPIC -o"
        command = ["gcc", *options.split(), str(source.with_suffix(".so")), str(source)]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture
def start(runner: Path, tmp_path: Path) -> Iterator[Callable[..., Zygote]]:
    (tmp_path / "main.py").write_text("print('begun')")
    folder = tmp_path
    while folder != folder.parent:  # the child's uid belongs to no user
        folder.chmod(folder.stat().st_mode | 0o055)
        folder = folder.parent
    started: list[Zygote] = []

    def start(fail_at: int = 0, modules: Sequence[str] = ()) -> Zygote:
        started.append(Zygote(runner, tmp_path, fail_at, modules=modules))
        return started[-1]

    yield start
    for zygote in started:
        zygote.close()


@pytest.mark.parametrize("mode", MODES)
def test_a_program_that_was_started_is_reported_as_started(start: Callable[..., Zygote], mode: Mode) -> None:
    zygote = start()
    for _ in range(2):
        report, output = zygote.run(mode)
        assert (report.step, report.failure, report.wait_status, output) == (SetupStep.STARTED, "", 0, b"begun\n")


@pytest.mark.parametrize("mode", [Mode.EXEC, Mode.FORK])
def test_a_failure_at_any_step_is_reported_as_that_step(start: Callable[..., Zygote], mode: Mode) -> None:
    for step in SETUP_STEPS:
        if step is SetupStep.EXEC and mode is not Mode.EXEC:
            continue
        report, output = start(step).run(mode)
        assert (report.step, report.error, output) == (step, errno.ECANCELED, b"")
        assert report.failure == f"{step.name.lower()}: {os.strerror(errno.ECANCELED)}"


@pytest.mark.parametrize("mode", [Mode.EXEC, Mode.FORK])
@pytest.mark.parametrize("step", [SetupStep.DESCRIPTORS, SetupStep.LIMITS, SetupStep.DEATH_SIGNAL, SetupStep.EXEC])
def test_a_child_killed_during_its_setup_was_not_started(
    start: Callable[..., Zygote], mode: Mode, step: SetupStep
) -> None:
    if step is SetupStep.EXEC and mode is not Mode.EXEC:
        pytest.skip("what is forked executes nothing")
    report, output = start(-step).run(mode)
    assert os.WTERMSIG(report.wait_status) == signal.SIGKILL
    assert (report.step, report.error, output) == (step, 0, b"")
    assert report.failure == f"{step.name.lower()}: killed"


@pytest.mark.parametrize("mode", [Mode.EXEC, Mode.FORK])
def test_a_refusal_by_the_kernel_is_reported_with_its_reason(start: Callable[..., Zygote], mode: Mode) -> None:
    zygote = start()
    assert zygote.run(mode, directory="/nowhere")[0].failure == "directory: No such file or directory"
    assert zygote.run(mode)[1] == b"begun\n"


@pytest.mark.parametrize("mode", [Mode.EXEC, Mode.FORK])
def test_a_run_does_not_start_on_a_host_with_lower_hard_limits(runner: Path, tmp_path: Path, mode: Mode) -> None:
    def limit_stack() -> None:
        resource.setrlimit(resource.RLIMIT_STACK, (8 << 20, 64 << 20))

    zygote = Zygote(runner, tmp_path, prepare=limit_stack)
    report, output = zygote.run(mode)
    assert (report.step, output) == (SetupStep.LIMITS, b"")
    assert report.error in {errno.EINVAL, errno.EPERM}
    assert zygote.run(mode, memory_mb=64)[0].step is SetupStep.STARTED
    zygote.close()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["no-such-command"], "No such file or directory"),
        (["./main.py"], "Permission denied"),
        (["/usr"], "Permission denied"),
        (["true", "x" * (1 << 18)], "Argument list too long"),
    ],
)
def test_a_command_that_cannot_be_executed_is_reported_as_such(
    start: Callable[..., Zygote], command: list[str], reason: str
) -> None:
    zygote = start()
    report, output = zygote.run(Mode.EXEC, command)
    assert (report.step, report.failure, output) == (SetupStep.EXEC, f"exec: {reason}", b"")
    assert zygote.run(Mode.EXEC)[1] == b"begun\n"


@pytest.mark.parametrize("code", ["import os; os._exit(127)", "import os; os.kill(os.getpid(), 9)", "1 / 0", "def ("])
@pytest.mark.parametrize("mode", MODES)
def test_a_program_cannot_make_its_end_look_like_a_failed_start(
    start: Callable[..., Zygote], tmp_path: Path, code: str, mode: Mode
) -> None:
    (tmp_path / "main.py").write_text(code)
    report, _ = start().run(mode)
    assert report.wait_status != 0
    assert report.step is SetupStep.STARTED


def test_a_program_shares_no_page_with_the_zygote(start: Callable[..., Zygote], tmp_path: Path) -> None:
    source = "print([line for line in open('/proc/self/maps') if line.split()[1] == 'rw-s'])"
    (tmp_path / "main.py").write_text(source)
    for mode in MODES:
        assert start().run(mode)[1] == b"[]\n"


def test_a_module_may_run_a_command_while_it_is_imported(
    start: Callable[..., Zygote], runner: Path, tmp_path: Path
) -> None:
    source = "import subprocess\nENVIRONMENT = subprocess.run(['env'], check=True, capture_output=True).stdout"
    (runner / "runs_command.py").write_text(source)
    (tmp_path / "main.py").write_text("import runs_command; print(b'LD_' in runs_command.ENVIRONMENT)")
    assert start(modules=["runs_command"]).run(Mode.FORK)[1] == b"False\n"


def test_the_setup_steps_match_those_of_the_c_code() -> None:
    source = (PACKAGE / "runner/zygote/forkserver.c").read_text()
    for step in SetupStep:
        name = "STARTED" if step is SetupStep.STARTED else f"STEP_{step.name}"
        assert f"{name} = {step.value}" in source
