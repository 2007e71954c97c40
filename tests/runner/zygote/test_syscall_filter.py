"""The system-call filter, tested by what a process under it can still do."""

from __future__ import annotations

import errno
import platform
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.runner.zygote import syscall_filter

ROOT = Path(__file__).resolve().parents[3]
CONFINE_SOURCE = """
import ctypes, os, sys
from sandbox.runner.zygote import confinement, syscall_filter
confinement.set_no_new_privileges()
confinement.SyscallFilter(syscall_filter.build_filter()).install()
libc = ctypes.CDLL(None, use_errno=True)
"""


def _run_confined(code: str) -> str:
    """Return what `code` prints in a process under the filter."""
    command = [sys.executable, "-c", CONFINE_SOURCE + code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_kernel_accepts_the_length_of_the_filter_for_every_architecture() -> None:
    for machine in ("x86_64", "aarch64"):
        program = syscall_filter.build_filter(machine)
        assert len(program) % 8 == 0
        assert 0 < len(program) // 8 <= 4096


def _evaluate_filter(machine: str, name_or_number: str | int, *arguments: int, ipv6: bool = True) -> tuple[str, int]:
    """Return the filter's answer to a call and its number of instructions, by a small version of the kernel's
    interpreter.
    """
    arch = syscall_filter.ARCHITECTURES[machine]
    number = getattr(arch, name_or_number) if isinstance(name_or_number, str) else name_or_number
    program = syscall_filter.build_filter(machine, ipv6)
    code = [struct.unpack_from("@HBBI", program, offset) for offset in range(0, len(program), 8)]
    words = [argument & (1 << 64) - 1 for argument in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("=IIQ6Q", number & 0xFFFF_FFFF, arch.audit_id, 0, *words)
    position = loaded = taken = 0
    while True:
        operation, if_true, if_false, value = code[position]
        position, taken = position + 1, taken + 1
        match operation:
            case 0x20:
                loaded = struct.unpack_from("=I", data, value)[0]
            case 0x54:
                loaded &= value
            case 0x05:
                position += value
            case 0x15 | 0x35 | 0x45:
                true = {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[operation]
                position += if_true if true else if_false
            case 0x06:
                names = {0x7FFF_0000: "allow", 0x8000_0000: "kill"}
                return names.get(value, f"errno {value & 0xFFFF}"), taken


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_system_call_gets_the_action_in_the_tables(machine: str) -> None:
    arch = syscall_filter.ARCHITECTURES[machine]
    denied = {pair[arch.column] for group in syscall_filter.DENIED_CALLS.values() for pair in group.values()}
    pretended = {pair[arch.column] for pair in syscall_filter.IGNORED_CALLS.values()}
    looked_at = {arch.clone, arch.socket, arch.socketpair, arch.ioctl, arch.setsockopt, arch.prctl, arch.mmap}
    for number in {*range(600), 0x4000_0000 + 39, 2**31 - 1} - looked_at:
        answer, taken = _evaluate_filter(machine, number)
        if number > syscall_filter.NEWEST_KNOWN_CALL or number == arch.clone3:
            assert answer == f"errno {errno.ENOSYS}", number
        elif number in denied:
            assert answer == f"errno {errno.EPERM}", number
        else:
            assert answer == ("errno 0" if number in pretended else "allow"), number
        assert taken <= 20, "the search is no longer a binary one"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    ("call", "arguments", "answer"),
    [
        ("clone", (0x0120_0011,), "allow"),
        ("clone", (0x1000_0011,), "EPERM"),
        ("clone", (0x8011,), "EPERM"),
        ("ioctl", (0, 0x5401), "allow"),
        ("ioctl", (0, 0x5412), "EPERM"),
        ("ioctl", (0, (7 << 32) | 0x5412), "EPERM"),
        ("socket", (1, 1, 0), "allow"),
        ("socket", (1, 0x8_0805, 1), "allow"),
        ("socket", (2, 0x8_0801, 6), "allow"),
        ("socket", (2, 2, 1), "allow"),
        ("socket", (10, 2, 17), "allow"),
        ("socket", (2, 5, 0), "ESOCKTNOSUPPORT"),
        ("socket", (2, 3, 0), "ESOCKTNOSUPPORT"),
        ("socket", (10, 10, 0), "ESOCKTNOSUPPORT"),
        ("socket", (2, 1, 17), "EPROTONOSUPPORT"),
        ("socket", (2, 2, 6), "EPROTONOSUPPORT"),
        ("socket", (2, 1, 132), "EPROTONOSUPPORT"),
        ("socket", (10, 2, 1), "EPROTONOSUPPORT"),
        ("socket", (1, 1, 6), "EPROTONOSUPPORT"),
        ("socket", (16, 3, 0), "EAFNOSUPPORT"),
        ("socketpair", (1, 2, 0), "allow"),
        ("socketpair", (17, 3, 0), "EAFNOSUPPORT"),
        ("prctl", (15,), "allow"),
        ("prctl", (22, 2), "EPERM"),
        ("prctl", (22, 1), "EPERM"),
        ("prctl", (0x5356_4D41,), "EINVAL"),
        ("mmap", (0, 4096, 3, 0x22), "allow"),
        ("mmap", (0, 1 << 21, 3, 0x4_0022), "ENOMEM"),
        ("fcntl", (3, 6), "allow"),
        ("fcntl", (3, 1034), "allow"),
        ("fcntl", (3, 37), "EINVAL"),
        ("fcntl", (3, 38), "EINVAL"),
        ("pipe2", (0, 0o2004000), "allow"),
        ("pipe2", (0, 0x80), "ENOPKG"),
        ("memfd_create", (0, 1), "allow"),
        ("memfd_create", (0, 5), "ENOMEM"),
        *[("setsockopt", (3, 1, option), "EPERM") for option in (26, 27, 44, 50, 51, 52)],
        *[("setsockopt", (3, 1, option), "allow") for option in (2, 7, 8, 9, 13, 15, 20, 21, 25, 43, 45, 49, 53, 84)],
        ("setsockopt", (3, (9 << 32) | 1, (9 << 32) | 26), "EPERM"),
        ("setsockopt", (3, 1, 85), "ENOPROTOOPT"),
        ("setsockopt", (3, 1, -1), "ENOPROTOOPT"),
        *[("setsockopt", (3, 6, option), "allow") for option in (1, 3, 4, 5, 6, 9, 12, 18, 23)],
        *[("setsockopt", (3, 6, option), "ENOPROTOOPT") for option in (14, 19, 31, 32, 38)],
        *[("setsockopt", (3, 0, option), "allow") for option in (1, 2, 10, 32, 33, 34, 49)],
        *[("setsockopt", (3, 0, option), "ENOPROTOOPT") for option in (4, 16, 17, 35, 39, 41, 42, 48, 64)],
        *[("setsockopt", (3, 41, option), "allow") for option in (16, 18, 26, 29, 67)],
        *[("setsockopt", (3, 41, option), "ENOPROTOOPT") for option in (20, 27, 32, 42, 54, 57, 64)],
        *[("setsockopt", (3, level, 100), "ENOPROTOOPT") for level in (17, 255, 263, 279, 282, -1)],
    ],
)  # fmt: skip
def test_the_arguments_of_a_call_decide_its_action(
    machine: str, call: str, arguments: tuple[int, ...], answer: str
) -> None:
    expected = "allow" if answer == "allow" else f"errno {getattr(errno, answer)}"
    assert _evaluate_filter(machine, call, *arguments)[0] == expected


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_kernel_without_ipv6_does_not_load_a_module_for_it(machine: str) -> None:
    assert _evaluate_filter(machine, "socket", 10, 1, 0, ipv6=False)[0] == f"errno {errno.EAFNOSUPPORT}"
    assert _evaluate_filter(machine, "socket", 2, 1, 0, ipv6=False)[0] == "allow"
    assert _evaluate_filter(machine, "socket", 1, 1, 0, ipv6=False)[0] == "allow"


def test_a_call_through_the_entry_of_another_architecture_kills_the_process() -> None:
    program = syscall_filter.build_filter("x86_64")
    assert struct.unpack_from("@HBBI", program, 16) == (0x06, 0, 0, 0x8000_0000)


def test_an_unknown_architecture_is_an_error() -> None:
    with pytest.raises(KeyError):
        syscall_filter.build_filter("pdp11")


def test_no_system_call_is_listed_twice_and_none_is_above_the_newest_known() -> None:
    for column in (0, 1):
        numbers = [pair[column] for group in syscall_filter.DENIED_CALLS.values() for pair in group.values()]
        known = [number for number in numbers if number is not None]
        assert len(known) == len(set(known))
        assert max(known) <= syscall_filter.NEWEST_KNOWN_CALL


@pytest.mark.skipif(platform.machine() not in {"x86_64", "aarch64"}, reason="the filter knows x86_64 and aarch64")
class TestUnderTheFilter:
    def test_every_denied_call_is_refused(self) -> None:
        column = 0 if platform.machine() == "x86_64" else 1
        calls = {
            name: pair[column]
            for group in syscall_filter.DENIED_CALLS.values()
            for name, pair in group.items()
            if pair[column]
        }
        output = _run_confined(
            f"for name, number in {calls!r}.items():\n"
            "    ctypes.set_errno(0)\n"
            "    if libc.syscall(number, -1, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1: print(name)\n"
        )
        assert output == ""

    def test_calls_newer_than_the_list_do_not_exist(self) -> None:
        output = _run_confined(
            "for number in (471, 1000, 0x40000000 + 39, 2**31 - 1):\n"
            "    print(libc.syscall(ctypes.c_long(number)), ctypes.get_errno())"
        )
        assert output.splitlines() == [f"-1 {errno.ENOSYS}"] * 4

    def test_no_namespace_can_be_created(self) -> None:
        output = _run_confined(
            "import platform\n"
            "clone = 56 if platform.machine() == 'x86_64' else 220\n"
            "for flag in (0x80, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):\n"
            "    print(libc.syscall(ctypes.c_long(clone), ctypes.c_long(flag | 17), 0, 0, 0, 0), ctypes.get_errno())"
        )
        assert set(output.splitlines()) == {f"-1 {errno.EPERM}"}

    def test_only_sockets_of_the_usual_families_can_be_created(self) -> None:
        output = _run_confined(
            "import socket\n"
            "for family in range(1, 46):\n"
            "    try: socket.socket(family, socket.SOCK_DGRAM).close(); print(family)\n"
            "    except OSError: pass"
        )
        assert set(map(int, output.split())) <= {int(socket.AF_UNIX), int(socket.AF_INET), int(socket.AF_INET6)}

    def test_no_packet_or_syscall_filter_can_be_attached(self) -> None:
        output = _run_confined(
            "import socket\n"
            "here, there = socket.socketpair()\n"
            "accept_all = (ctypes.c_uint16 * 4)(6, 0, 0xffff, 0)\n"
            "header = bytes(ctypes.c_uint64(1)) + bytes(ctypes.c_uint64(ctypes.addressof(accept_all)))\n"
            "for option in (26, 27, 44, 50, 51, 52):\n"
            "    try: here.setsockopt(socket.SOL_SOCKET, option, header)\n"
            "    except OSError as error: print(error.errno)\n"
            "print(libc.prctl(22, 2, header, 0, 0), ctypes.get_errno())\n"
            "print(libc.prctl(22, 1, 0, 0, 0), ctypes.get_errno())"
        )
        assert output.splitlines() == [str(errno.EPERM)] * 6 + [f"-1 {errno.EPERM}"] * 2

    def test_a_sync_of_the_file_systems_only_pretends_to_succeed(self) -> None:
        output = _run_confined("import platform\nos.sync()\nprint(libc.syncfs(-1), libc.syncfs(0))")
        assert output == "0 0"

    def test_ordinary_servers_and_clients_still_work(self) -> None:
        output = _run_confined(
            "import asyncio, http.server, threading, urllib.request\n"
            "class Handler(http.server.BaseHTTPRequestHandler):\n"
            "    def do_GET(self): self.send_response(200); self.end_headers(); self.wfile.write(b'served')\n"
            "    def log_message(self, *words): pass\n"
            "server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)\n"
            "threading.Thread(target=server.serve_forever, daemon=True).start()\n"
            "url = f'http://127.0.0.1:{server.server_port}/'\n"
            "print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url).read().decode())\n"
            "async def echo(reader, writer): writer.write(await reader.readline()); writer.close()\n"
            "async def main():\n"
            "    served = await asyncio.start_server(echo, '127.0.0.1', 0, reuse_address=True)\n"
            "    reader, writer = await asyncio.open_connection(*served.sockets[0].getsockname())\n"
            "    writer.write(b'echoed\\n')\n"
            "    print((await reader.readline()).decode().strip())\n"
            "asyncio.run(main())"
        )
        assert output.split() == ["served", "echoed"]

    def test_ordinary_programs_still_work(self) -> None:
        output = _run_confined(
            "import subprocess, threading, tempfile, mmap, multiprocessing.pool\n"
            "threading.Thread(target=print, args=('thread',)).start()\n"
            "print(subprocess.run(['echo', 'process'], capture_output=True, text=True).stdout.strip())\n"
            "with tempfile.TemporaryFile() as file: file.write(b'x')\n"
            "mmap.mmap(-1, 4096).close()\n"
            "if os.fork() == 0: os._exit(0)\n"
            "print(os.wait()[1])"
        )
        assert set(output.split()) == {"thread", "process", "0"}

    def test_the_filter_applies_to_children_and_cannot_be_removed(self) -> None:
        output = _run_confined(
            "import subprocess\n"
            "code = 'import ctypes; print(ctypes.CDLL(None).unshare(0x10000000))'\n"
            "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout.strip())\n"
            "print(open('/proc/self/status').read().split('NoNewPrivs:')[1].split()[0])"
        )
        assert output.split() == ["-1", "1"]
