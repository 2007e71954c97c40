"""Plan the rewards of test writers: each completion is an input that should break a wrong program.

A completion gives the input in a fenced block tagged `input`, and may give the right output in one tagged `output`.
The last block of each tag counts. Without a block tagged `input`, the last block without a tag is the input. The hack
passes three conditions, which the policy treats like tests: the input is valid, the target breaks, and the output, if
there is one, is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from sandbox.errors import BadRequest, NotFound
from sandbox.rewards.code_blocks import CodeBlock, StillThinking, scan_blocks
from sandbox.rewards.extraction import get_completion_text
from sandbox.rewards.planned import PlannedCompletion, RewardPlan
from sandbox.runner.contract import Verdict
from sandbox.schema.hack import HackRequest, HackTask
from sandbox.schema.programs import MAX_STDIN_CHARS
from sandbox.schema.reward import MAX_COMPLETION_CHARS, RewardRequest, Task
from sandbox.verify.hacks import HackReason

# Nothing is known about the input: the service failed, or the task's target would fail on every input.
_UNUSABLE_REASONS = frozenset({HackReason.SERVICE_FAILED, HackReason.TARGET_NOT_COMPILED})
_NOT_RUN = "no input in the completion"


class WrittenTest(NamedTuple):
    """What a completion gives. `closed` says that the block of the input is closed."""

    stdin: str
    output: str | None
    closed: bool


def find_hack(task: Task | NotFound) -> HackTask | BadRequest | NotFound:
    """Return the hack of a registered task, or the error that explains why it has none."""
    if isinstance(task, NotFound):
        return task
    if task.target is None:
        return BadRequest("the policy hack needs a task with a target and references", "tasks")
    given = {name: getattr(task, name) for name in ("target", "validators", "references", "checker", "limits")}
    try:
        return HackTask.model_validate({name: value for name, value in given.items() if value})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        return BadRequest(f"the task cannot be used for a hack: {place}: {first['msg']}", "tasks")


def build_hack_plan(request: RewardRequest, tasks: Sequence[HackTask | BadRequest | NotFound]) -> RewardPlan:
    """Plan the hacks of all completions. Raises the first error if no task can be used."""
    errors = [task for task in tasks if not isinstance(task, HackTask)]
    if errors and len(errors) == len(tasks):
        raise errors[0]
    completions: list[PlannedCompletion] = []
    programs: list[HackRequest] = []
    for index, task in enumerate(tasks):
        if not isinstance(task, HackTask):
            completions.append(PlannedCompletion("", 0, [], 0, message=str(task), usable=False))
            continue
        text = get_completion_text(request.completions[index])[-MAX_COMPLETION_CHARS:]
        length = len(text) if request.lengths is None else request.lengths[index]
        written = read_test(text, request.extract.thinking_tag)
        if written is None:
            completions.append(PlannedCompletion("", 2, [], length, message=_NOT_RUN))
            continue
        conditions = 2 if written.output is None else 3
        completions.append(PlannedCompletion("", conditions, [], length, written.closed, len(programs)))
        programs.append(task.build_request(written.stdin, written.output, request.environment, request.priority))
    return RewardPlan(request, completions, programs)


def read_test(text: str, thinking_tag: str = "think") -> WrittenTest | None:
    """Return the input and the output that a completion gives, or None without an input."""
    try:
        blocks = scan_blocks(text, thinking_tag).blocks
    except StillThinking:
        return None
    given = _find_last(blocks, "input") or _find_last(blocks, "")
    output = _find_last(blocks, "output")
    if given is None or max(len(given.code), len(output.code) if output else 0) >= MAX_STDIN_CHARS:
        return None
    return WrittenTest(_end_line(given.code), None if output is None else _end_line(output.code), given.closed)


def _find_last(blocks: Sequence[CodeBlock], tag: str) -> CodeBlock | None:
    return next((block for block in reversed(blocks) if block.tag.strip().lower() == tag), None)


def _end_line(code: str) -> str:
    return code if code.endswith("\n") else code + "\n"


def read_conditions(result: Mapping[str, Any]) -> tuple[Verdict, tuple[Verdict, ...]]:
    """Return a verdict on a hack, and one for each condition, from the JSON of its result."""
    if result["valid"] is None or result["reason"] in _UNUSABLE_REASONS:
        return Verdict.INTERNAL_ERROR, (Verdict.INTERNAL_ERROR,)
    claimed = result.get("output_right")
    fulfilled = [result["valid"], result["breaks"], *([] if claimed is None else [claimed])]
    conditions = tuple(Verdict.ACCEPTED if one else Verdict.WRONG_ANSWER for one in fulfilled)
    return Verdict.ACCEPTED if all(fulfilled) else Verdict.WRONG_ANSWER, conditions
