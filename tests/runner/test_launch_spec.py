"""A launch spec is the same for the zygote in Python and in C, and children follow it."""

from __future__ import annotations

import struct
from dataclasses import asdict

import pytest

from sandbox.runner import launch_spec
from sandbox.runner.contract import Limits, Mode
from sandbox.runner.messages import RunLimits

LIMITS = RunLimits(**asdict(Limits()))
CPU_LIMIT_S = 20.0
ENVIRONMENT = {"PATH": "/bin", "EMPTY": "", "EQUALS": "a=b", "NAME": "ü"}


def test_a_launch_spec_is_read_as_it_was_written() -> None:
    command = ("python3", "main.py", "", "two words", "ünïcödé")
    packed = launch_spec.pack(
        "/box/work", command, launch_spec.pack_environment(ENVIRONMENT), Mode.FORK, 1_000_007, LIMITS, CPU_LIMIT_S
    )
    read = launch_spec.unpack(packed)
    assert (read.directory, read.command, read.environment) == ("/box/work", command, ENVIRONMENT)
    assert (read.mode, read.uid) == (Mode.FORK, 1_000_007)
    assert read.memory_bytes == Limits().memory_mb << 20
    assert read.cpu_limit_s > CPU_LIMIT_S


def test_a_host_without_separate_uids_is_not_confused_with_root() -> None:
    block = launch_spec.pack_environment({})
    assert launch_spec.unpack(launch_spec.pack("/", ["true"], block, Mode.EXEC, None, LIMITS, CPU_LIMIT_S)).uid is None
    assert launch_spec.unpack(launch_spec.pack("/", ["true"], block, Mode.EXEC, 0, LIMITS, CPU_LIMIT_S)).uid == 0


def test_arguments_that_are_not_text_pass_unchanged() -> None:
    argument = b"\xff\xfe".decode("utf-8", "surrogateescape")
    packed = launch_spec.pack(
        "/", ["true", argument], launch_spec.pack_environment({}), Mode.EXEC, None, LIMITS, CPU_LIMIT_S
    )
    assert launch_spec.unpack(packed).command == ("true", argument)


def test_more_variables_than_the_c_side_has_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="variables"):
        launch_spec.pack_environment({str(number): "" for number in range(launch_spec.MAX_ENVIRONMENT_VARIABLES + 1)})


def test_a_report_is_read_as_it_was_written() -> None:
    report = launch_spec.unpack_report(launch_spec.pack_report(256, 1.5, 12.25))
    assert (report.wait_status, report.cpu_time_s, report.memory_mb) == (256, 1.5, 12.25)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 100])
def test_an_invalid_report_is_an_error(content: bytes) -> None:
    with pytest.raises(struct.error):
        launch_spec.unpack_report(content)
