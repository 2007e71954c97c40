"""Measure the CPU time and memory of judging 16 MB of wrong output, by checker and by shape of the output.

`python -m loadtest.checker_cost` prints a table. Each measurement runs in its own process. Memory is the peak beyond
that of a process that holds both outputs but does not judge. The row `print` shows what a Python program needs to write
the same bytes. With `--large`, the expected output has the same shape and size and differs at its end, so the request
itself asks for the work.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import struct
from collections.abc import Callable

from sandbox.verify import checkers

MB = 1 << 20
CPU_LIMIT_S = 60
SMALL_EXPECTED = {
    "json": b'{"a": [1, 2.5], "b": "x"}',
    "humaneval": b"[1, 2, (3, 4)]",
    "regex": rb"\d+( \d+)*",
}


def _repeat(piece: bytes) -> Callable[[int], bytes]:
    return lambda size: (piece * (size // len(piece) + 1))[:size]


def _make_numbers(size: int) -> bytes:
    return b" ".join(b"%d" % number for number in range(size // 8))


def _make_lines(size: int) -> bytes:
    return b"\n".join(b"%d" % number for number in range(size // 8))


def _make_json_numbers(size: int) -> bytes:
    return b"[" + b",".join(b"%d.5" % number for number in range(size // 10)) + b"]"


SHAPES: dict[str, Callable[[int], bytes]] = {
    "digits": _repeat(b"7"),
    "brackets": _repeat(b"["),
    "braces": _repeat(b'{"a":'),
    "empty lists": _repeat(b"[],"),
    "quotes": _repeat(b"'"),
    "strings": _repeat(b'"a",'),
    "commas": _repeat(b"1,"),
    "tokens": _repeat(b"7 "),
    "lines": _repeat(b"7\n"),
    "numbers": _make_numbers,
    "numbered lines": _make_lines,
    "a list": _make_json_numbers,
    "a list of ones": lambda size: b"[" + b"1," * (size // 2 - 1) + b"1]",
    "nested lists": lambda size: b"[" * (size // 2) + b"]" * (size // 2),
    "a long word": lambda size: b"7" * (size - 1) + b"x",
    "blanks": _repeat(b" "),
    "blank lines": _repeat(b"\n"),
    "no-break spaces": _repeat(b"\xc2\xa0"),
    "not UTF-8": _repeat(b"\xff"),
    "NULs": _repeat(b"\0"),
    "emoji": _repeat("\N{GRINNING FACE}".encode()),
}


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU seconds (infinite above the cap) and the peak MB of the work and its children, run in a fork."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_LIMIT_S, CPU_LIMIT_S))
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        work()
        os.write(writer, struct.pack("d", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
        os._exit(0)
    os.close(writer)
    report = os.read(reader, 8)
    os.close(reader)
    _, status, usage = os.wait4(child, 0)
    if status or not report:
        return float("inf"), usage.ru_maxrss / 1024
    return usage.ru_utime + usage.ru_stime, struct.unpack("d", report)[0]


def measure_printing(output: bytes) -> float:
    """Return the CPU seconds of writing the output to a pipe with a reader."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        while os.read(reader, MB):
            pass
        os._exit(0)
    os.close(reader)

    def write() -> None:
        with open(writer, "wb", closefd=False) as pipe:
            pipe.write(output)

    seconds, _ = measure(write)
    os.close(writer)
    os.waitpid(child, 0)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=16)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--kind", action="append")
    parser.add_argument("--shape", action="append")
    asked = parser.parse_args()
    for shape in asked.shape or SHAPES:
        output = SHAPES[shape](asked.mb * MB)
        idle_s, idle_mb = measure(lambda: None)
        print(f"{shape:16} {'print':18} {measure_printing(output) - idle_s:7.2f} s", flush=True)
        for kind in asked.kind or checkers.RULES:
            expected = output[:-2] + b"#]" if asked.large else SMALL_EXPECTED.get(kind, b"42")

            def judge(kind: str = kind, output: bytes = output, expected: bytes = expected) -> None:
                checkers.check(kind, output, expected)

            seconds, memory = measure(judge)
            print(f"{shape:16} {kind:18} {seconds - idle_s:7.2f} s {memory - idle_mb:7.0f} MB", flush=True)


if __name__ == "__main__":
    main()
