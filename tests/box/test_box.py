"""The guarantees of a box for one run: its limits, its streams, its files, and that nothing of it remains."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox.box.box import Box
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.box.slot import Slot
from sandbox.errors import BoxError
from sandbox.runner.contract import Outcome, Run, Status
from sandbox.runner.cpu_allowance import CpuAllowance
from sandbox.runner.messages import RunLimits
from sandbox.runner.supervisor.outcome import ExitInfo, build_outcome
from tests.box.running import run_in, run_once

MB = 1 << 20
BURN = """
import time

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""


@contextmanager
def _occupy_cpus(process_count: int) -> Iterator[None]:
    """Occupy every CPU with other processes.

    Each has its own session, because a session as a whole gets one CPU share.
    """
    command = [sys.executable, "-c", "while True: pass"]
    rivals = [subprocess.Popen(command, start_new_session=True) for _ in range(process_count)]
    try:
        yield
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()


# --- time


def test_a_busy_loop_ends_at_its_cpu_limit(box: Box) -> None:
    outcome = run_in(box, "while True: pass", cpu_time_s=0.5)
    assert outcome.status is Status.TIME_LIMIT_EXCEEDED
    assert outcome.message == "CPU time"
    assert 0.5 <= outcome.usage.cpu_time_s < 2.0


def test_cpu_time_counts_over_all_forks_that_are_waited_for(box: Box) -> None:
    code = (
        BURN
        + "import os\nfor _ in range(8):\n    if os.fork() == 0:\n        burn(0.2)\n        os._exit(0)\n    os.wait()"
    )
    assert run_in(box, code, cpu_time_s=0.8).status is Status.TIME_LIMIT_EXCEEDED
    assert run_in(box, code, cpu_time_s=8.0).ended_well


def test_cpu_time_of_children_that_run_at_once_counts(box: Box) -> None:
    code = (
        BURN
        + "import os\nfor _ in range(4):\n    if os.fork() == 0:\n        burn(60)\nfor _ in range(4):\n    os.wait()"
    )
    outcome = run_in(box, code, cpu_time_s=0.8)
    assert outcome.status is Status.TIME_LIMIT_EXCEEDED
    assert outcome.usage.cpu_time_s >= 0.8


def test_cpu_time_of_children_that_are_never_waited_for_counts(box: Box) -> None:
    code = (
        BURN
        + """
import os, signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(6):
    reader, writer = os.pipe()
    if os.fork() == 0:
        burn(0.2)
        os._exit(0)
    os.close(writer)
    os.read(reader, 1)
"""
    )
    assert run_in(box, code, cpu_time_s=0.6).status is Status.TIME_LIMIT_EXCEEDED


def test_cpu_time_counts_over_threads(box: Box) -> None:
    code = (
        "import threading\ndef spin():\n    while True: pass\nfor _ in range(3): threading.Thread(target=spin).start()"
    )
    assert run_in(box, code, cpu_time_s=0.5).status is Status.TIME_LIMIT_EXCEEDED


def test_a_sleeper_ends_at_the_wall_limit(box: Box) -> None:
    outcome = run_in(box, "import time; time.sleep(60)", wall_time_s=0.5)
    assert outcome.status is Status.TIME_LIMIT_EXCEEDED
    assert outcome.message == "wall time"
    assert 0.5 <= outcome.usage.wall_time_s < 10.0
    assert outcome.usage.cpu_time_s < 0.5


@pytest.mark.parametrize("mode", ["forked", "exec"])
def test_a_program_that_ends_at_its_wall_limit_has_exceeded_it(box: Box, mode: str) -> None:
    if os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip("the machine is busy: time spent waiting for a CPU is not counted, but matters in this test")
    code = "import time\ntime.sleep(0.3)" + ("  # sys.modules" if mode == "exec" else "")
    for _ in range(20):
        outcome = run_in(box, code, wall_time_s=0.3)
        assert outcome.status is Status.TIME_LIMIT_EXCEEDED, outcome
        assert (outcome.message, outcome.usage.wall_time_s >= 0.3) == ("wall time", True)


@pytest.mark.parametrize(
    ("exit_info", "status", "message"),
    [
        (ExitInfo(0, 0.1, 0.9999, 1.0), Status.OK, ""),
        (ExitInfo(0, 0.1, 1.0, 1.0), Status.OK, ""),
        (ExitInfo(0, 0.1, 1.0001, 1.0), Status.TIME_LIMIT_EXCEEDED, "wall time"),
        (ExitInfo(0, 0.1, 1.0001, 1.0, stop_reason="wall"), Status.TIME_LIMIT_EXCEEDED, "wall time"),
        (ExitInfo(256, 0.1, 1.0001, 1.0), Status.TIME_LIMIT_EXCEEDED, "wall time"),
        (ExitInfo(0, 0.1, 1.5, 1.0, cpu_wait_s=0.6), Status.OK, ""),
        (ExitInfo(0, 0.1, 1.5, 1.0, cpu_wait_s=0.4), Status.TIME_LIMIT_EXCEEDED, "wall time"),
        (ExitInfo(0, 0.5001, 0.6, 1.0), Status.TIME_LIMIT_EXCEEDED, "CPU time"),
        (ExitInfo(0, 0.5001, 1.6, 1.0), Status.TIME_LIMIT_EXCEEDED, "CPU time"),
    ],
)
def test_measured_times_decide_at_the_limit(exit_info: ExitInfo, status: Status, message: str) -> None:
    limits = RunLimits(0.5, 1.0, memory_mb=64, processes=1, output_kb=1, file_mb=1)
    outcome = build_outcome(exit_info, limits, CpuAllowance())
    assert (outcome.status, outcome.message) == (status, message)


def test_a_program_that_ends_before_its_wall_limit_passes(box: Box) -> None:
    for _ in range(10):
        outcome = run_in(box, "import time; time.sleep(0.2)", wall_time_s=0.3)
        assert outcome.status is Status.OK, outcome


def test_a_program_that_waits_for_missing_input_sees_its_end(box: Box) -> None:
    assert run_in(box, "print(repr(open(0).read()))").stdout == b"''\n"


def test_a_program_is_not_punished_for_waiting_for_a_busy_cpu(box: Box) -> None:
    with _occupy_cpus(os.cpu_count() or 1):
        outcome = run_in(box, BURN + "burn(0.7)", cpu_time_s=5.0, wall_time_s=1.0)
    assert outcome.status is Status.OK, outcome
    assert 0.7 <= outcome.usage.cpu_time_s < 5.0


def test_a_sleeper_is_caught_on_a_busy_machine_too(box: Box) -> None:
    with _occupy_cpus(4):
        outcome = run_in(box, "import time; time.sleep(60)", wall_time_s=0.5)
    assert outcome.status is Status.TIME_LIMIT_EXCEEDED
    assert outcome.usage.wall_time_s < 10.0


# --- memory


@pytest.mark.parametrize("memory_mb", [64, 128, 256])
def test_python_right_below_its_memory_limit_is_fine_and_right_above_is_not(box: Box, memory_mb: int) -> None:
    code = "import sys; block = b'x' * (int(sys.argv[1]) << 20); print(len(block))"
    below = run_in(box, code, args=(str(memory_mb - 24),), memory_mb=memory_mb)
    assert below.status is Status.OK, below
    assert memory_mb - 24 <= below.usage.memory_mb <= memory_mb
    above = run_in(box, code, args=(str(memory_mb + 4),), memory_mb=memory_mb)
    assert above.status is Status.MEMORY_LIMIT_EXCEEDED, above
    assert run_in(box, "print(1)", memory_mb=memory_mb).ended_well


@pytest.mark.parametrize("memory_mb", [32, 128])
def test_a_native_program_right_below_its_memory_limit_is_fine_and_right_above_is_not(
    slot: Slot, memory_mb: int
) -> None:
    code = """
    #include <cstdlib>
    #include <cstring>
    int main(int count, char **args) {
        size_t size = size_t(atoi(args[1])) << 20;
        char *block = static_cast<char *>(malloc(size));
        memset(block, count, size);
        return block[size / 2] == count ? 0 : 1;
    }
    """
    below = run_once(slot, code, language="cpp", args=(str(memory_mb - 6),), memory_mb=memory_mb)
    assert below.status is Status.OK, below
    above = run_once(slot, code, language="cpp", args=(str(memory_mb + 4),), memory_mb=memory_mb)
    assert above.status is Status.MEMORY_LIMIT_EXCEEDED, above


def test_memory_that_is_reserved_but_not_touched_costs_nothing(box: Box) -> None:
    assert run_in(box, "import mmap; mmap.mmap(-1, 4 << 30); print(1)", memory_mb=64).ended_well


def test_a_program_whose_code_pages_do_not_fit_in_memory_is_ended(box: Box) -> None:
    code = """
    import os
    block = b'x' * (16 << 20)
    file = os.open('/usr/lib/x86_64-linux-gnu/libz3.so.4', os.O_RDONLY)  # 23 MB that nothing else here reads
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    while True:
        os.lseek(file, 0, os.SEEK_SET)
        while os.read(file, 1 << 20):
            pass
    """
    outcome = run_in(box, code, memory_mb=32, cpu_time_s=60, wall_time_s=60)
    assert outcome.status is Status.MEMORY_LIMIT_EXCEEDED, outcome
    assert outcome.usage.wall_time_s < 30
    assert run_in(box, "print(1)").ended_well


def test_when_a_forked_child_takes_too_much_the_child_dies_and_the_verdict_is_memory(box: Box) -> None:
    code = """
    import os, signal
    if os.fork() == 0:
        block = b'x' * (300 << 20)
        os._exit(0)
    _, status = os.wait()
    print(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL)
    """
    outcome = run_in(box, code, memory_mb=128)
    assert outcome.status is Status.MEMORY_LIMIT_EXCEEDED
    assert (outcome.stdout, outcome.exit_code) == (b"True\n", 0)


def test_the_memory_of_all_processes_counts_together(box: Box) -> None:
    code = """
    import os, signal, sys
    readers = []
    for _ in range(4):
        reader, writer = os.pipe()
        if os.fork() == 0:
            block = b'x' * (int(sys.argv[1]) << 20)
            os.write(writer, b'.')
            signal.pause()
        os.close(writer)
        readers.append(reader)
    for reader in readers:
        os.read(reader, 1)
        os.close(reader)
    """
    # All four children hold their blocks at the same time until they are killed.
    assert run_in(box, code, args=("60",), memory_mb=128, wall_time_s=5.0).status is Status.MEMORY_LIMIT_EXCEEDED
    assert run_in(box, code, args=("8",), memory_mb=128).ended_well


def test_files_in_memory_count_as_memory_and_are_gone_after_it(box: Box) -> None:
    code = "for name in range(8):\n    open(f'/tmp/{name}', 'wb').write(b'x' * (30 << 20))"
    assert run_in(box, code, memory_mb=128).status is Status.MEMORY_LIMIT_EXCEEDED
    assert run_in(box, "import os; print(os.listdir('/tmp'))", memory_mb=64).stdout == b"[]\n"


def test_deep_recursion_within_the_memory_limit_is_the_programs_right(slot: Slot) -> None:
    code = """
    long depth(long n) {
        volatile char frame[200];
        frame[0] = 0;
        return n ? 1 + depth(n - 1) + frame[0] : 0;
    }
    int main() { return depth(300000) == 300000 ? 0 : 1; }
    """
    assert run_once(slot, code, language="cpp", memory_mb=256).ended_well


# --- streams


def test_64_mb_pass_in_and_out_without_a_deadlock(box: Box) -> None:
    stdin = os.urandom(MB) * 64
    code = "import sys\nwhile chunk := sys.stdin.buffer.read(10000): sys.stdout.buffer.write(chunk)"
    outcome = run_in(box, code, stdin=stdin, output_kb=64 * 1024)
    assert outcome.ended_well
    assert outcome.stdout == stdin
    assert not outcome.stdout_truncated


def test_64_mb_of_each_output_pass_before_any_input_is_read(box: Box) -> None:
    code = """
    import sys
    for _ in range(64):
        sys.stderr.buffer.write(b'e' * (1 << 20))
        sys.stdout.buffer.write(b'o' * (1 << 20))
    print(len(sys.stdin.buffer.read()))
    """
    outcome = run_in(box, code, stdin=b"i" * (64 * MB), memory_mb=256, output_kb=65 * 1024)
    assert outcome.ended_well
    assert outcome.stdout == b"o" * (64 * MB) + b"%d\n" % (64 * MB)
    assert outcome.stderr == b"e" * (64 * MB)


def test_input_that_is_not_read_does_no_harm(box: Box) -> None:
    assert run_in(box, "print(input())", stdin=b"first\n" + b"x" * (32 * MB)).stdout == b"first\n"
    assert run_in(box, "import sys; sys.stdin.close(); print(1)", stdin=b"x" * (8 * MB)).stdout == b"1\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_endless_output_ends_at_its_limit_and_what_was_read_is_kept(box: Box, stream: str) -> None:
    outcome = run_in(box, f"import sys\nwhile True: sys.{stream}.write('0123456789' * 100)", output_kb=64)
    kept = getattr(outcome, stream)
    assert outcome.status is Status.OUTPUT_LIMIT_EXCEEDED
    assert getattr(outcome, f"{stream}_truncated")
    assert kept == (b"0123456789" * 7000)[: 64 * 1024]


def test_output_of_exactly_the_limit_is_fine_and_one_byte_more_is_not(box: Box) -> None:
    code = "import sys; sys.stdout.write('x' * int(sys.argv[1]))"
    full = run_in(box, code, args=(str(64 * 1024),), output_kb=64)
    assert (full.status, len(full.stdout), full.stdout_truncated) == (Status.OK, 64 * 1024, False)
    over = run_in(box, code, args=(str(64 * 1024 + 1),), output_kb=64)
    assert (over.status, len(over.stdout), over.stdout_truncated) == (Status.OUTPUT_LIMIT_EXCEEDED, 64 * 1024, True)


def test_bytes_that_are_not_text_pass_unchanged(box: Box) -> None:
    data = bytes(range(256)) * 999 + b"\r\n\0\xff"
    assert run_in(box, "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", stdin=data).stdout == data


def test_stdout_and_stderr_come_apart(box: Box) -> None:
    outcome = run_in(box, "import sys; print('out'); print('err', file=sys.stderr)")
    assert (outcome.stdout, outcome.stderr) == (b"out\n", b"err\n")


def test_output_before_a_kill_is_kept(box: Box) -> None:
    outcome = run_in(box, "print('before', flush=True)\nwhile True: pass", cpu_time_s=0.3)
    assert (outcome.status, outcome.stdout) == (Status.TIME_LIMIT_EXCEEDED, b"before\n")


# --- how a run ends


@pytest.mark.parametrize(
    ("code", "exit_code", "signal"),
    [
        ("pass", 0, None),
        ("raise SystemExit(3)", 3, None),
        ("import os; os._exit(255)", 255, None),
        ("1 / 0", 1, None),
        ("import os; os.abort()", None, 6),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", None, 11),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", None, 9),
    ],
)
def test_exit_codes_and_signals_are_reported(box: Box, code: str, exit_code: int | None, signal: int | None) -> None:
    outcome = run_in(box, code)
    assert (outcome.exit_code, outcome.signal) == (exit_code, signal)
    assert outcome.status is (Status.OK if exit_code == 0 else Status.RUNTIME_ERROR)


def test_an_exception_leaves_its_traceback(box: Box) -> None:
    assert run_in(box, "[][1]").stderr.splitlines()[-1] == b"IndexError: list index out of range"


def test_more_processes_than_allowed_cannot_be_started(box: Box) -> None:
    code = """
    import os, time
    started = 0
    try:
        while started < 100:
            if os.fork() == 0:
                time.sleep(20)
                os._exit(0)
            started += 1
    except BlockingIOError:
        print(started)
    """
    assert run_in(box, code, processes=16).stdout in {b"15\n", b"16\n"}
    assert run_in(box, "print(1)").ended_well


def test_a_file_larger_than_allowed_cannot_be_written(box: Box) -> None:
    outcome = run_in(box, "open('large', 'wb').write(b'x' * (3 << 20))", file_mb=2)
    assert outcome.status is Status.RUNTIME_ERROR
    assert run_in(box, "open('small', 'wb').write(b'x' * (1 << 20))", file_mb=2).ended_well


def test_a_short_program_copies_few_pages_of_the_warm_interpreter(box: Box) -> None:
    code = "import resource\na = input()\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)"
    assert int(run_in(box, code, stdin=b"1\n").stdout) < 190  # 155 measured, and 215 if nothing is done before the fork


def test_variables_for_the_linker_of_the_warm_interpreter_are_hidden(box: Box) -> None:
    code = """
    import os, subprocess
    print([name for name in os.environ if name.startswith("LD_")], "LD_" in subprocess.getoutput("env"))
    """
    assert run_in(box, code).stdout == b"[] False\n"


# --- arguments and files


def test_arguments_arrive_as_they_were_given(box: Box) -> None:
    args = ("", "two words", "ünïcödé", "--flag=1", "$HOME;*", "line\nbreak")
    assert run_in(box, "import sys; print(ascii(sys.argv[1:]))", args=args).stdout.decode() == ascii(list(args)) + "\n"


def test_files_go_in_and_come_out_nested_ones_too(box: Box) -> None:
    code = """
    import os
    data = open('in/deep/data.bin', 'rb').read()
    os.makedirs('out/deep')
    open('out/deep/result.bin', 'wb').write(data[::-1])
    open('in/deep/data.bin', 'ab').write(b'!')
    """
    data = bytes(range(256))
    fetch = ("out/deep/result.bin", "in/deep/data.bin", "never/written")
    outcome = run_in(box, code, files={"in/deep/data.bin": data, "top.txt": b"1"}, fetch_files=fetch)
    assert outcome.ended_well, outcome.stderr
    assert outcome.files == {"out/deep/result.bin": data[::-1], "in/deep/data.bin": data + b"!"}


def test_several_megabytes_of_files_go_in_and_come_out(box: Box) -> None:
    data = os.urandom(MB) * 20
    code = "open('b', 'wb').write(open('a', 'rb').read())"
    outcome = run_in(box, code, files={"a": data}, fetch_files=("a", "b"), memory_mb=256)
    assert outcome.files == {"a": data, "b": data}


@pytest.mark.parametrize(
    "trick",
    [
        "os.symlink('/etc/passwd', 'wanted')",
        "os.mkdir('in'); open('in/f', 'w').write('x'); os.symlink('in', 'other'); os.symlink('other', 'wanted')",
        "os.mkfifo('wanted')",
        "os.mkdir('wanted')",
        "socket.socket(socket.AF_UNIX).bind('wanted')",
    ],
)
def test_only_plain_files_are_fetched(box: Box, trick: str) -> None:
    outcome = run_in(box, f"import os, socket; {trick}", fetch_files=("wanted", "wanted/f", "other/f"))
    assert outcome.ended_well, outcome.stderr
    assert outcome.files == {}


def test_files_of_a_run_that_failed_are_fetched_too(box: Box) -> None:
    outcome = run_in(box, "open('log', 'w').write('so far'); 1 / 0", fetch_files=("log",))
    assert (outcome.status, outcome.files) == (Status.RUNTIME_ERROR, {"log": b"so far"})


# --- nothing remains


def test_every_run_has_a_uid_and_a_directory_of_its_own(box: Box) -> None:
    code = "import os; print(os.getuid(), sorted(os.listdir('.'))); open('mine', 'w').write('1')"
    uids = []
    for _ in range(3):
        uid, _, listing = run_in(box, code).stdout.decode().strip().partition(" ")
        assert listing == "['main.py']"
        uids.append(int(uid))
    assert len(set(uids)) == 3
    assert 0 not in uids


@pytest.mark.parametrize(
    "leaving",
    [
        "open('{place}/file', 'w').write('x')",
        "os.makedirs('{place}/a/b/c'); open('{place}/a/b/c/file', 'w').write('x'); os.chmod('{place}/a', 0)",
        "os.symlink('/etc', '{place}/link'); os.mkfifo('{place}/fifo')",
        "open('{place}/ \\n-rf *', 'w'); open('{place}/.hidden', 'w'); open(b'{place}/\\xff', 'w')",
        "[open(f'{place}/{{n}}', 'w').close() for n in range(2000)]",
        "os.chdir('{place}'); [(os.mkdir('d' * 200), os.chdir('d' * 200)) for _ in range(300)]",
    ],
)
@pytest.mark.parametrize("place", ["/tmp", "/dev/shm", "."])
def test_whatever_a_run_leaves_is_gone_for_the_next(box: Box, place: str, leaving: str) -> None:
    left = run_in(box, "import os; " + leaving.format(place=place))
    assert left.ended_well, left.stderr
    looked = run_in(box, "import os; print([os.listdir(place) for place in ('/tmp', '/dev/shm', '.')])")
    assert looked.stdout == b"[[], [], ['main.py']]\n"


def test_a_daemon_does_not_outlive_its_program(box: Box) -> None:
    code = """
    import os, signal, time
    if os.fork() == 0:
        os.setsid()
        for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}:
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        if os.fork() == 0:
            while True:
                open('/tmp/alive', 'w').close()
                time.sleep(0.01)
        os._exit(0)
    time.sleep(0.2)
    print('done')
    """
    outcome = run_in(box, code)
    assert (outcome.status, outcome.stdout) == (Status.OK, b"done\n")
    assert outcome.usage.wall_time_s < 10.0
    look = """
    import os, time
    time.sleep(0.3)
    print(os.listdir('/tmp'), sum(os.stat(f'/proc/{pid}').st_uid != 0 for pid in os.listdir('/proc') if pid.isdigit()))
    """
    assert run_in(box, look).stdout == b"[] 1\n"


def test_all_processes_of_a_fork_bomb_are_killed(box: Box) -> None:
    outcome = run_in(box, "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", cpu_time_s=1.0)
    assert outcome.status is Status.TIME_LIMIT_EXCEEDED
    assert run_in(box, "print(1)").stdout == b"1\n"


def test_the_program_cannot_change_what_is_run_next(box: Box) -> None:
    code = "print(open('main.py').read().count('x')); open('main.py', 'w').write('x' * 99)"
    first = run_in(box, code)
    assert run_in(box, code).stdout == first.stdout


# --- broken boxes


@pytest.fixture
def newest_container(docker_client: docker.DockerClient, home: Path) -> Callable[[], Any]:
    """Return a function that finds the most recently started container; its first process is the supervisor."""

    def find_newest() -> Any:
        containers = docker_client.containers.list(filters={"label": f"{HOME_LABEL}={home}"})
        return max(containers, key=lambda container: str(container.attrs["Created"]))

    return find_newest


def test_a_box_whose_supervisor_is_killed_between_runs_says_so(
    fresh_box: Box, newest_container: Callable[[], Any]
) -> None:
    assert run_in(fresh_box, "print(1)").ended_well
    newest_container().kill()
    with pytest.raises(BoxError):
        run_in(fresh_box, "print(2)")


def test_a_box_whose_supervisor_is_killed_during_a_run_says_so_and_its_slot_gets_a_new_one(
    engine: DockerEngine, newest_container: Callable[[], Any]
) -> None:
    slot = Slot(engine, max_runs=1000, max_age_s=1000.0)
    slot.warm("python")
    killer = threading.Timer(0.5, newest_container().kill)
    killer.start()
    try:
        with pytest.raises(BoxError), slot.lend("python") as box:
            run_in(box, "import time; time.sleep(20)")
        with slot.lend("python") as box:
            assert run_in(box, "print('new')").stdout == b"new\n"
    finally:
        killer.join()
        slot.close()


def test_a_closed_box_is_gone(
    docker_client: docker.DockerClient, engine: DockerEngine, newest_container: Callable[[], Any]
) -> None:
    box = Box(engine.start("python"))
    container = newest_container()
    box.close()
    with pytest.raises(docker.errors.NotFound):
        docker_client.containers.get(container.id)
    box.close()


def test_running_before_anything_is_loaded_is_an_error(fresh_box: Box) -> None:
    with pytest.raises(BoxError, match="no program is loaded"):
        fresh_box.run(Run())


def test_usage_is_measured(box: Box) -> None:
    outcome: Outcome = run_in(box, BURN + "burn(0.3); block = b'x' * (50 << 20); time.sleep(0.3)")
    assert 0.3 <= outcome.usage.cpu_time_s < 2.0
    assert outcome.usage.wall_time_s >= 0.6
    assert 50 <= outcome.usage.memory_mb < 80
