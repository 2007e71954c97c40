"""Messages between a worker and a supervisor are the same on both sides."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from sandbox.box.answers import read_answer, read_ready
from sandbox.runner import messages
from sandbox.runner.contract import Limits, Mode, Status
from sandbox.runner.launcher.plan import MountTree, Plan, decode_plan, encode_plan
from sandbox.runner.messages import (
    Answer,
    CompileRequest,
    OutcomeMessage,
    ProgramMessage,
    Ready,
    RunLimits,
    RunRequest,
    SettleRequest,
    WarmRequest,
)
from sandbox.runner.supervisor.options import Options

LIMITS = RunLimits(1.5, 3.0, memory_mb=64, processes=8, output_kb=16, file_mb=2)
PROGRAM = ProgramMessage(["cc"], ["./main"], ["main"], {"A": "b"}, [["main.c", 3]], inline=True)  # type: ignore[list-item]


def _travel(header: object) -> dict[str, object]:
    received = json.loads(json.dumps(header))
    assert isinstance(received, dict)
    return received


@pytest.mark.parametrize(
    "request_",
    [
        CompileRequest(LIMITS, "tag", 3, PROGRAM),
        RunRequest(
            LIMITS, Mode.FORK, ["x"], ["out"], ["./test"], ["numpy"], allowance=True, tag="t", streams=5, parts=[]
        ),
        RunRequest(LIMITS, Mode.EXEC, [], [], [], [], parts=[], program=PROGRAM),
    ],
)
def test_a_request_that_starts_a_program_arrives_as_it_was_sent(request_: CompileRequest | RunRequest) -> None:
    parts = request_.parts if isinstance(request_, RunRequest) else ()
    header = messages.build_header(
        request_._replace(streams=0, program=None), request_.streams, request_.program, parts
    )
    assert messages.read_request(_travel(header)) == request_


@pytest.mark.parametrize("request_", [WarmRequest(["numpy"]), SettleRequest(forget=True)])
def test_a_request_between_runs_arrives_as_it_was_sent(request_: WarmRequest | SettleRequest) -> None:
    received = messages.read_request(_travel(request_._asdict()))
    assert (type(received), received) == (type(request_), request_)


def test_a_kill_that_comes_after_the_run_asks_for_nothing() -> None:
    assert messages.read_request(_travel(messages.KILL)) is None


def test_an_answer_arrives_as_it_was_sent() -> None:
    outcome = OutcomeMessage(Status.RUNTIME_ERROR, None, 9, 0.5, 1.25, 3.0, "killed", "why", 2)
    answer = Answer("tag", outcome, 1 << 20, [("out", 4)], retire=True)
    assert read_answer(_travel(messages.build_answer_header(answer)), "tag") == answer


def test_the_first_message_arrives_as_it_was_sent() -> None:
    ready = Ready("gvisor", ["a layer"])
    assert read_ready(_travel(ready._asdict())) == ready


def test_the_limits_of_a_message_are_those_of_the_contract() -> None:
    assert list(RunLimits._fields) == [field.name for field in dataclasses.fields(Limits)]


def test_a_plan_and_options_arrive_as_they_were_sent() -> None:
    tree = MountTree(64, "/runner", [["/a", "/b"]])  # type: ignore[list-item]
    plan = Plan("/root", tree, ["KILL"], None, None, kinds=["mount"], cgroups=["/c"], supervisor=["{}"])
    assert decode_plan(encode_plan(plan)) == plan
    options = Options(connect="/run/worker.sock", shared=["/tmp"], modules=["json"], cpus=1.5)
    assert Options.decode(options.encode()) == options


def test_a_supervisor_imports_nothing_large() -> None:
    """Each of these takes between 0.6 and 1.6 MB of memory in every box."""
    code = "import sys, sandbox.runner.supervisor.supervisor; print(*sys.modules)"
    command = [sys.executable, "-S", "-c", code]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert not loaded & {"dataclasses", "inspect", "pathlib", "subprocess", "urllib", "tempfile", "logging"}
