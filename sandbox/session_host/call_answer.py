"""Build the answer to a call from the box's reply, which is not trusted, and keep the answers to the latest calls."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from sandbox.errors import SequenceMismatch
from sandbox.schema.sessions import CallResult, CallStatus
from sandbox.session_host.box_frames import MAX_MESSAGE_CHARS, clamp_usage, encode_bundle
from sandbox.session_host.call_output import CallOutput

MAX_KEPT_ANSWERS = 8
MAX_KEPT_BYTES = 8 << 20
# the fields of a result that the box fills in
BOX_FIELDS = (
    "status",
    "exit_code",
    "result",
    "error",
    "stdout_truncated",
    "stderr_truncated",
    "state",
    "reason",
)

Answer = dict[str, Any]


def build_result(header: Mapping[str, Any], number: int, output: CallOutput, is_command: bool) -> CallResult:
    """Return a call's result.

    A reply that is invalid gives a result with an error that says so. `is_command` says that a Python session ran a
    command, so the value of the expression is an exit code.
    """
    found = {name: header[name] for name in BOX_FIELDS if header.get(name) is not None}
    rest = {
        "sequence": number,
        "usage": clamp_usage(header.get("usage")),
        "stdout": output.read("stdout"),
        "stderr": output.read("stderr"),
        "displays": output.displays,
    }
    try:
        if isinstance(found.get("result"), dict):
            found["result"] = encode_bundle(found["result"])
        if is_command:
            _take_exit_code(found)
        return CallResult.model_validate({**found, **rest})
    except (ValueError, RecursionError) as error:
        message = f"the session sent an invalid answer: {error}"[:MAX_MESSAGE_CHARS]
        state = "lost" if header.get("state") == "lost" else "kept"
        invalid = {"type": "InvalidAnswer", "message": message}
        return CallResult.model_validate({**rest, "status": CallStatus.ERROR, "error": invalid, "state": state})


def _take_exit_code(found: dict[str, Any]) -> None:
    """Convert the value of the expression that ran a command into the command's exit code."""
    if found.get("status") == CallStatus.OK and isinstance(found.get("result"), dict):
        try:
            found["exit_code"] = int(found.pop("result").get("text/plain", ""))
        except ValueError:  # the program has replaced `subprocess`
            found["exit_code"] = None


class _KeptAnswer(NamedTuple):
    fingerprint: bytes
    answer: Answer
    size: int  # of the encoded answer, in characters


class KeptAnswers:
    """The answers to the latest calls, in case a call is repeated."""

    def __init__(self) -> None:
        self._answers: OrderedDict[int, _KeptAnswer] = OrderedDict()

    def find(self, number: int, fingerprint: bytes) -> Answer | None:
        """Return the answer to a call, or None if it is not kept. Raises SequenceMismatch."""
        if (kept := self._answers.get(number)) is None:
            return None
        check_same(kept.fingerprint, fingerprint, number)
        return kept.answer

    def add(self, number: int, fingerprint: bytes, answer: Answer) -> None:
        """Keep an answer, and drop the oldest ones if there are too many, or too large ones."""
        self._answers[number] = _KeptAnswer(fingerprint, answer, len(json.dumps(answer)))
        while len(self._answers) > MAX_KEPT_ANSWERS or (
            len(self._answers) > 1 and sum(kept.size for kept in self._answers.values()) > MAX_KEPT_BYTES
        ):
            self._answers.popitem(last=False)


def check_same(known: bytes, fingerprint: bytes, number: int) -> None:
    """Raise SequenceMismatch if another call had this number: its answer would be taken for the answer to this one."""
    if known != fingerprint:
        raise SequenceMismatch(f"number {number} belongs to a call with other code or input")
