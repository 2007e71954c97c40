"""Every attack program runs inside a session; sessions beside it keep their state, and it leaves nothing in the box."""

from __future__ import annotations

import ast
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.docker.engine import DockerEngine
from sandbox.runner.contract import Run, Status
from sandbox.runner.frames import FrameError
from tests.runner.session.session_box import Answer, SessionBox
from tests.security.attack import GROUPS, Attack, load_attacks

MEMORY_MB = 256
INSPECTOR = 1_000_000
LIMITS = {"processes": 32, "file_mb": 16, "disk_mb": 64}
STATUSES = {"ok", "error", "time_limit", "output_limit", "disk_limit", "interrupted", "ended"}
# Filters of sockets and system calls by the thousands exhaust memory that the kernel does not give back.
LEFT_OUT = {"escalating/socket_filters.c", "starving/socket_options.c"}
# What these report as an escape is the purpose of a session, or its documented shape.
MEANT = {
    "cheating/answer_from_an_earlier_run.py": "a session remembers its own calls",
    "forging/disturb_zygote.c": "its parent is the interpreter of its own session",
    "reaching_out/inherited_descriptors.c": "its stdin is a file in memory",
    "reading/environment.py": "a session has TMPDIR and MPLBACKEND",
    "reading/gc_zygote_state.py": "the interpreter holds the link of its own session",
    "reading/stdin_of_the_next.py": "it reads the stdin of its own second call",
    "staying/bytecode_beside_the_program.py": "a session keeps its own files",
    "staying/files_everywhere.py": "a session's directory is its own",
    "staying/replace_own_executable.c": "the program is a file of its own session",
    "staying/work_directory_swap.py": "a session's directory is its own",
}
COMPILE_ALL = (
    "cd /attacks && for each in *.c *.cpp; do [ -e $each ] || continue; case $each in *.c) cc=gcc;; *) cc=g++;; \
esac; $cc -w -O1 -static -pthread -o ${each%.*} $each -lm 2>$each.log || rm -f ${each%.*}; done; chmod -R a+rwX ."
)
STATE = "secret = 'state-4711'"
INSPECT = """
import os, socket
def inspect():
    found = []
    for place in ('/tmp', '/dev/shm', '/dev/mqueue', '/var/tmp'):
        for name in os.listdir(place) if os.path.isdir(place) else ():
            try:
                uid = os.lstat(f'{place}/{name}').st_uid
            except OSError as error:
                uid = error
            if uid != os.getuid():
                found.append(f'file {place}/{name} of {uid}')
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            status = open(f'/proc/{pid}/status').read().split('\\n')
        except OSError:
            continue
        uid = next(line.split()[1] for line in status if line.startswith('Uid:'))
        if uid not in ('0', str(os.getuid())):
            found.append(f'process {status[0]} of uid {uid}')
    for kind in ('shm', 'sem', 'msg'):
        if len(open(f'/proc/sysvipc/{kind}').readlines()) > 1:
            found.append(f'SysV {kind}')
    for table in ('tcp', 'tcp6', 'udp', 'udp6', 'raw'):
        if len(open(f'/proc/net/{table}').readlines()) > 1:
            found.append(f'{table} sockets')
    return sorted(found)
"""


class AttackedBox:
    """A session box in which one attack after another runs, each in a session of its own, beside an inspector."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._branch = 0
        self.losses: list[str] = []
        self.baseline: list[str] = []
        self._start()

    def _start(self) -> None:
        self.box = SessionBox(self._engine)
        self.box.handle.limit_memory(MEMORY_MB)
        self._open_inspector()

    def _open_inspector(self) -> None:
        self.box.open(INSPECTOR, limits=LIMITS)
        self.box.execute(f"{STATE}\n{INSPECT}", INSPECTOR)
        self.baseline = self.inspect()

    def inspect(self) -> list[str]:
        answer = self.box.execute("inspect()", INSPECTOR)
        assert answer.header["status"] == "ok", answer
        return list(ast.literal_eval(str(answer.text)))

    def attempt(self, attack: Attack, program: bytes) -> list[str]:
        """Run one attack in a session of its own; return what went wrong."""
        self._branch += 1
        try:
            return self._attempt(attack, program, self._branch)
        except (AssertionError, OSError, ValueError, FrameError) as error:
            out_of_memory = self.box.handle.ran_out_of_memory()
            self.close()
            self._start()
            self.losses.append(f"{attack.name}: the box broke: {error!r}"[:300])
            # The session host tells every session of the box about it. Only memory, which they share, is a reason.
            return [] if out_of_memory or "breaks" in attack.header else [f"the box broke: {error!r}"[:600]]

    def _attempt(self, attack: Attack, program: bytes, branch: int) -> list[str]:
        self.box.handle.begin_run()
        self.box.open(branch, limits=LIMITS)
        failures: list[str] = []
        for _ in range(attack.runs):
            answer = self._run(attack, program, branch)
            failures += [each for each in find_violations(answer) if attack.name not in MEANT or "escaped" not in each]
            if answer.header.get("state") == "lost":
                self.losses.append(f"{attack.name}: {answer.header['reason']}")
                break
        else:
            after = self.box.execute("40 + 2", branch)
            if after.header.get("state") != "lost" and after.header.get("status") not in STATUSES:
                failures.append(f"the session does not answer after it: {after}"[:400])
            closed = self.box.ask("close", branch).header
            if not closed.get("closed") and closed.get("error", {}).get("code") != "unknown_branch":
                failures.append(f"not closed: {closed}")
        return failures + self._check_neighbor()

    def _run(self, attack: Attack, program: bytes, branch: int) -> Answer:
        run = attack.build_run()
        limits = {
            "cpu_time_s": run.limits.cpu_time_s,
            "wall_time_s": run.limits.wall_time_s,
            "output_kb": run.limits.output_kb,
        }
        stdin = attack.header.get("stdin", "")
        if attack.path.suffix == ".py":
            return self.box.execute(program.decode(errors="surrogateescape"), branch, stdin, **limits)
        self.box.ask("put_file", branch, program, path="attack")
        command = ["bash", "attack"] if attack.path.suffix == ".sh" else ["./attack"]
        code = f"import os, subprocess\nos.chmod('attack', 0o700)\nsubprocess.run({command}).returncode"
        return self.box.execute(code, branch, stdin, **limits)

    def _check_neighbor(self) -> list[str]:
        answer = self.box.execute("secret", INSPECTOR)
        if answer.text != "'state-4711'":
            assert "error" in answer.header or answer.header.get("reason"), answer
            self._open_inspector()
            if self.box.handle.ran_out_of_memory():  # a session and its forks share their memory limit
                return []
            return [f"the session beside it is lost: {answer.header}"]
        found: list[str] = []
        for _ in range(20):
            found = [one for one in self.inspect() if one not in self.baseline]
            if not found:
                break
        return [f"left behind: {one}" for one in found]

    def close(self) -> None:
        self.box.close()


def find_violations(answer: Answer) -> list[str]:
    header = answer.header
    if header.get("status") not in STATUSES:
        return [f"no valid answer: {header}"]
    failures = []
    if header["state"] == "lost" and not header.get("reason"):
        failures.append("the session is lost without a reason")
    if "ESCAPED" in answer.stdout + answer.stderr:
        failures.append(f"escaped: {answer.stdout[:300]!r} {answer.stderr[-300:]!r}")
    return failures


@pytest.fixture(scope="module")
def binaries(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Path]:
    """Compile the attacks in C and C++ into static programs, which run in the Python image."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    for group in GROUPS:
        for attack in load_attacks(group):
            if attack.path.suffix in (".c", ".cpp") and not is_left_out(attack):
                shutil.copy(attack.path, folder / f"{group}-{attack.path.name}")
    docker_client.containers.run(
        images["native"],
        ["-c", COMPILE_ALL],
        entrypoint="/bin/bash",
        remove=True,
        user="0",
        mem_limit="1g",
        pids_limit=64,
        network_mode="none",
        volumes={str(folder): {"bind": "/attacks", "mode": "rw"}},
    )
    yield folder
    shutil.rmtree(folder)


def is_left_out(attack: Attack) -> bool:
    """Return whether an attack is not for sessions: those on compilers would run outside a box here."""
    return attack.name in LEFT_OUT or attack.path.stem.startswith("compile_")


def read_program(attack: Attack, binaries: Path) -> bytes | None:
    """Return what runs in a session, or None if the Python image cannot run it."""
    if attack.path.suffix in (".py", ".sh"):
        return attack.path.read_bytes()
    binary = binaries / f"{attack.path.parent.name}-{attack.path.stem}"
    return binary.read_bytes() if binary.exists() else None


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("group", GROUPS)
def test_no_attack_in_a_session_harms_another_or_leaves_anything(
    engine: DockerEngine, binaries: Path, group: str, request: pytest.FixtureRequest
) -> None:
    attacked, other = AttackedBox(engine), SessionBox(engine)
    other.open()
    other.execute(STATE)
    failures: list[str] = []
    tried: list[str] = []
    skipped: list[str] = []
    for attack in load_attacks(group):
        program = None if is_left_out(attack) else read_program(attack, binaries)
        if program is None:
            skipped.append(attack.name)
            continue
        tried.append(attack.name)
        failures += [f"{attack.name}: {failure}" for failure in attacked.attempt(attack, program)]
        if other.execute("secret").text != "'state-4711'":
            failures.append(f"{attack.name}: a session in another box lost its state")
    attacked.close()
    other.close()
    judge = Box(engine.start("python"))
    judge.load(languages.get_language("python").build_program("print(int(input()) + 1)"))
    outcome = judge.run(Run(stdin=b"41"))
    judge.close()
    assert (outcome.status, outcome.stdout) == (Status.OK, b"42\n")
    request.node.user_properties += [("attacks", len(tried)), ("lost", len(attacked.losses)), ("skipped", len(skipped))]
    assert not failures, "\n".join([f"{len(failures)} failures in {len(tried)} attacks", *failures])
