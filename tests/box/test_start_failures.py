"""A program that did not start is never judged: its box is replaced, and the run is repeated in another one."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.local.engine import LocalEngine
from sandbox.box.observer import NullBoxObserver
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.errors import BoxError
from sandbox.rewards.policy import CompletionResult, Policy, score
from sandbox.runner.contract import Limits, Run, Status, Verdict
from sandbox.runner.launch_spec import SetupStep
from sandbox.runner.supervisor.options import Options
from sandbox.schema import CommandTest, ExecuteRequest, TestCase, VerifyRequest
from sandbox.worker.execute import execute, verify

SLOT = 89
STEPS = [SetupStep.FORK, SetupStep.DIRECTORY, SetupStep.LIMITS, SetupStep.USER, SetupStep.EXEC]


class FailingDocker(DockerEngine):
    """An engine whose first boxes fail at one step of every child's start."""

    fail_at, failing_boxes = 0, 0

    def _build_supervisor_options(self, uid_base: int) -> Options:
        self.failing_boxes -= 1
        options = super()._build_supervisor_options(uid_base)
        return options._replace(fail_at=self.fail_at if self.failing_boxes >= 0 else 0)


class FailingLocal(LocalEngine):
    fail_at, failing_boxes = 0, 0

    def _build_supervisor_options(self, *arguments: Any, **named: Any) -> Options:
        self.failing_boxes -= 1
        options = super()._build_supervisor_options(*arguments, **named)
        return options._replace(fail_at=self.fail_at if self.failing_boxes >= 0 else 0)


class FailureRecorder(NullBoxObserver):
    def __init__(self) -> None:
        self.retries: list[bool] = []
        self.end_reasons: list[str] = []

    def record_failure(self, reason: str, will_retry: bool) -> None:
        self.retries.append(will_retry)

    def record_box_ended(self, image: str, reason: str) -> None:
        self.end_reasons.append(reason)


@pytest.fixture(params=["docker", "local"])
def failing(request: pytest.FixtureRequest, home: Path) -> Iterator[FailingDocker | FailingLocal]:
    settings = WorkerSettings(home=home)
    if request.param == "docker":
        request.getfixturevalue("images")
        engine: FailingDocker | FailingLocal = FailingDocker(settings, SLOT)
    else:
        engine = FailingLocal(settings, SLOT)
    yield engine
    engine.close()


@pytest.fixture
def recorder() -> FailureRecorder:
    return FailureRecorder()


@pytest.fixture
def failing_slot(failing: FailingDocker | FailingLocal, recorder: FailureRecorder) -> Iterator[Slot]:
    slot = Slot(failing, 1_000, 3_600.0, recorder)
    yield slot
    slot.close()


def _build_code(step: SetupStep) -> str:
    """Return code that needs this step: only programs that inspect their interpreter are exec'd, all others forked."""
    return "import sys\nprint(input(), sys.modules and '')" if step is SetupStep.EXEC else "print(input())"


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_a_step_of_the_start_is_not_the_programs(
    failing: FailingDocker | FailingLocal, failing_slot: Slot, recorder: FailureRecorder, step: SetupStep
) -> None:
    failing.fail_at, failing.failing_boxes = step, 1
    tests = [TestCase(stdin="1", expected="1"), TestCase(stdin="2", expected="2")]
    result = verify("x", VerifyRequest(language="python", code=_build_code(step), tests=tests), failing_slot, 0.0)
    assert (result.verdict, result.passed) == (Verdict.ACCEPTED, 2), result
    assert (recorder.retries, recorder.end_reasons) == ([True], ["broken"])


def test_if_no_box_can_start_a_program_the_result_reports_it_and_does_not_pass(
    failing: FailingDocker | FailingLocal, failing_slot: Slot, recorder: FailureRecorder
) -> None:
    failing.fail_at, failing.failing_boxes = SetupStep.LIMITS, 1_000
    request = VerifyRequest(language="python", code="print(1)", tests=[TestCase(expected="1")])
    result = verify("x", request, failing_slot, 0.0)
    assert (result.verdict, recorder.retries) == (Verdict.INTERNAL_ERROR, [True, True, False])
    assert "limits: Operation canceled" in result.tests[0].message
    assert score(Policy(), CompletionResult(True, [test.verdict for test in result.tests])) is None
    ran = execute("x", ExecuteRequest(language="c", code="int main(void) { return 0; }"), failing_slot, 0.0)
    assert (ran.status, ran.compile, ran.exit_code) == (Status.INTERNAL_ERROR, None, None)


@pytest.mark.parametrize("code", ["print(1)", "import sys\nsys.modules\nprint(1)"])
@pytest.mark.parametrize("limit", ["cpu_time_s", "wall_time_s"])
def test_a_limit_too_small_for_any_start_is_a_time_limit(box: Box, code: str, limit: str) -> None:
    box.load(languages.get_language("python").build_program(code))
    for time_s in (1e-9, 1e-5, 1e-4, 5e-4, 1e-3):
        limits = Limits(cpu_time_s=time_s) if limit == "cpu_time_s" else Limits(wall_time_s=time_s)
        outcome = box.run(Run(limits=limits))
        assert outcome.status in {Status.TIME_LIMIT_EXCEEDED, Status.OK}, outcome


def test_losing_a_right_later_is_not_the_programs_failure(engine: DockerEngine, recorder: FailureRecorder) -> None:
    """An administrator or a container engine may lower the limits of running processes."""
    slot = Slot(engine, 1_000, 3_600.0, recorder)
    request = VerifyRequest(language="python", code="print(1)", tests=[TestCase(expected="1")])
    assert verify("x", request, slot, 0.0).verdict is Verdict.ACCEPTED
    (handle,) = [each for each in engine._live_handles if each is slot._boxes["python"]._handle]
    for process in handle._container.top()["Processes"]:
        resource.prlimit(int(process[1]), resource.RLIMIT_NOFILE, (300, 300))
    result = verify("x", request, slot, 0.0)
    slot.close()
    assert (result.verdict, recorder.retries, recorder.end_reasons[0]) == (Verdict.ACCEPTED, [True], "broken")


@pytest.mark.parametrize(
    "command", [["nonexistent-command"], ["./nothing-here"], ["./main.py"], ["/etc"], ["true", "x" * (1 << 17)]]
)
def test_a_test_whose_command_does_not_exist_is_the_tests_mistake(box: Box, command: list[str]) -> None:
    box.load(languages.get_language("python").build_program("X = 1"))
    outcome = box.run(Run(command=tuple(command)))
    assert (outcome.status, outcome.exit_code) == (Status.INTERNAL_ERROR, None), outcome
    assert outcome.message.startswith(f"the test's command: cannot run {command[0]!r}: ")
    assert box.run(Run(command=("python3", "-c", "import main; print(main.X)"))).stdout == b"1\n"


def test_a_test_with_an_invalid_command_is_not_tried_again(slot: Slot) -> None:
    tests = [CommandTest(command=["nonexistent-command", "--flag"]), CommandTest(command=["python3", "main.py"])]
    with slot.lend("python") as box:
        runs = box.runs
    result = verify("x", VerifyRequest(language="python", code="X = 1", tests=tests), slot, 0.0)
    assert [test.verdict for test in result.tests] == [Verdict.INTERNAL_ERROR, Verdict.ACCEPTED]
    with slot.lend("python") as box:
        assert box.runs == runs + 2


def test_an_invalid_executable_is_the_programs_own_failure(slot: Slot) -> None:
    code = """
    __asm__(".section .interp,\\"a\\"\\n.string \\"/no/such/loader\\"\\n.previous");
    int main(void) { return 0; }
    """
    with slot.lend("cpp") as box:
        compiled = box.load(languages.get_language("c").build_program(code))
        assert compiled is not None
        if compiled.ended_well:
            outcome = box.run(Run())
            assert outcome.status is Status.RUNTIME_ERROR, outcome


def test_an_interpreter_missing_from_the_image_is_a_failure_of_the_service(fresh_box: Box) -> None:
    fresh_box.load(languages.get_language("php").build_program("<?php echo 1;"))
    with pytest.raises(BoxError, match="cannot run 'php': No such file or directory"):
        fresh_box.run(Run())


def test_a_compiler_missing_from_the_image_is_a_failure_of_the_service(fresh_box: Box) -> None:
    with pytest.raises(BoxError, match="cannot run 'rustc': No such file or directory"):
        fresh_box.load(languages.get_language("rust").build_program("fn main() {}"))


@pytest.mark.parametrize("code", ["import os; os._exit(127)", "import sys; sys.modules; sys.exit(127)"])
def test_a_program_cannot_imitate_a_failure_of_the_service(box: Box, code: str) -> None:
    box.load(languages.get_language("python").build_program(code))
    outcome = box.run(Run(limits=Limits(memory_mb=64)))
    assert (outcome.status, outcome.exit_code) == (Status.RUNTIME_ERROR, 127)
