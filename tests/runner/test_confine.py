"""The system-call filter, by what a process under it can still do."""

from __future__ import annotations

import errno
import platform
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.runner import confine

ROOT = Path(__file__).resolve().parents[2]
CONFINED = """
import ctypes, os, sys
from sandbox.runner import confine
confine.become(None)
confine.gain_nothing()
confine.Filter(confine.filter_program()).install()
libc = ctypes.CDLL(None, use_errno=True)
"""


def _confined(code: str) -> str:
    """What `code` prints in a process under the filter."""
    command = [sys.executable, "-c", CONFINED + code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_architecture_has_a_filter_of_a_length_the_kernel_takes() -> None:
    for machine in ("x86_64", "aarch64"):
        program = confine.filter_program(machine)
        assert len(program) % 8 == 0
        assert 0 < len(program) // 8 <= 4096


def test_an_unknown_architecture_is_an_error_and_not_an_open_door() -> None:
    with pytest.raises(KeyError):
        confine.filter_program("pdp11")


def test_no_system_call_is_listed_twice_and_none_is_above_the_newest_known() -> None:
    for column in (0, 1):
        numbers = [pair[column] for group in confine.DENIED.values() for pair in group.values()]
        known = [number for number in numbers if number is not None]
        assert len(known) == len(set(known))
        assert max(known) <= confine.NEWEST_KNOWN


@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="the filter knows x86_64 and aarch64")
class TestUnderTheFilter:
    def test_every_denied_call_is_refused(self) -> None:
        column = 0 if platform.machine() == "x86_64" else 1
        calls = {
            name: pair[column] for group in confine.DENIED.values() for name, pair in group.items() if pair[column]
        }
        told = _confined(
            f"for name, number in {calls!r}.items():\n"
            "    ctypes.set_errno(0)\n"
            "    if libc.syscall(number, -1, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1: print(name)\n"
        )
        assert told == ""

    def test_calls_newer_than_the_list_do_not_exist(self) -> None:
        told = _confined(
            "for number in (471, 1000, 0x40000000 + 39, 2**31 - 1):\n"
            "    print(libc.syscall(ctypes.c_long(number)), ctypes.get_errno())"
        )
        assert told.splitlines() == [f"-1 {errno.ENOSYS}"] * 4

    def test_no_namespace_can_be_made(self) -> None:
        told = _confined(
            "import platform\n"
            "clone = 56 if platform.machine() == 'x86_64' else 220\n"
            "for flag in (0x80, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):\n"
            "    print(libc.syscall(ctypes.c_long(clone), ctypes.c_long(flag | 17), 0, 0, 0, 0), ctypes.get_errno())"
        )
        assert set(told.splitlines()) == {f"-1 {errno.EPERM}"}

    def test_sockets_are_of_the_usual_families_only(self) -> None:
        told = _confined(
            "import socket\n"
            "for family in range(1, 46):\n"
            "    try: socket.socket(family, socket.SOCK_DGRAM).close(); print(family)\n"
            "    except OSError: pass"
        )
        assert set(map(int, told.split())) <= {int(socket.AF_UNIX), int(socket.AF_INET), int(socket.AF_INET6)}

    def test_ordinary_work_still_goes(self) -> None:
        told = _confined(
            "import subprocess, threading, tempfile, mmap, multiprocessing.pool\n"
            "threading.Thread(target=print, args=('thread',)).start()\n"
            "print(subprocess.run(['echo', 'process'], capture_output=True, text=True).stdout.strip())\n"
            "with tempfile.TemporaryFile() as file: file.write(b'x')\n"
            "mmap.mmap(-1, 4096).close()\n"
            "if os.fork() == 0: os._exit(0)\n"
            "print(os.wait()[1])"
        )
        assert set(told.split()) == {"thread", "process", "0"}

    def test_it_holds_for_children_and_cannot_be_taken_off(self) -> None:
        told = _confined(
            "import subprocess\n"
            "code = 'import ctypes; print(ctypes.CDLL(None).unshare(0x10000000))'\n"
            "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout.strip())\n"
            "print(open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])"
        )
        assert told.split() == ["-1", "1"]
