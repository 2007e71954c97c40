"""Inputs of a synthesis with several generators and validators: generators take turns, and validators vote."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.api.app import create_app
from sandbox.client import AsyncClient
from sandbox.config import ApiSettings
from sandbox.errors import InfrastructureError
from sandbox.llm.chat_model import ChatModel, Completion
from sandbox.synth.prompts import Prompts
from sandbox.synth.resumable_jsonl import Unit
from sandbox.synth.run_config import RunConfig
from sandbox.synth.stages.inputs import generate_inputs
from tests.api.fake_service import FakeService
from tests.api.threaded_server import serve_in_thread

COUNTS_UP = "import sys\nprint(int(sys.argv[2]) % 1000)"
PRINTS_NEGATIVE = "import sys\nprint(-1 - int(sys.argv[2]) % 1000)"
ACCEPTS = "int(input())"
POSITIVE = "assert int(input()) >= 0"


class ScriptedAnswers(ChatModel):
    """A model that writes these programs, one after the other."""

    def __init__(self, *programs: str) -> None:
        super().__init__("http://127.0.0.1:9", "scripted")
        self._programs = list(programs)

    async def chat(self, prompt: str, seed: int) -> Completion:
        return Completion(f"```python\n{self._programs.pop(0)}\n```", 1, complete=True)


def build_config(**fields: int) -> RunConfig:
    counts = {"random_inputs": 4, "edge_inputs": 0, "stress_inputs": 0}
    return RunConfig(examples=Path("x"), model="m", **counts, **fields)


async def test_generators_take_turns_and_a_majority_of_validators_decides(url: str) -> None:
    unit = Unit("task", {"statement": "Print the number."})
    config = build_config(generators=2, validators=3)
    async with (
        AsyncClient(url) as client,
        ScriptedAnswers(COUNTS_UP, PRINTS_NEGATIVE, ACCEPTS, POSITIVE, POSITIVE) as model,
    ):
        line = await generate_inputs(unit, model, Prompts(None), client, config)
    assert [given["stdin"] for given in line["inputs"]] == ["0\n", "2\n"]
    assert line["dropped"] == {"invalid": 2}
    assert (line["generators"], len(line["validators"])) == ([COUNTS_UP, PRINTS_NEGATIVE], 3)


@pytest.mark.parametrize("sizes", [0, 3])
async def test_a_failure_of_the_service_is_not_a_failure_of_a_generator(tmp_path: Path, sizes: int) -> None:
    service = FakeService(results=lambda request: {"id": "x", "status": "internal_error"})
    unit = Unit("task", {"statement": "Print the number."})
    with serve_in_thread(create_app(ApiSettings(home=tmp_path), service)) as url:
        async with AsyncClient(url) as client, ScriptedAnswers(COUNTS_UP, ACCEPTS) as model:
            with pytest.raises(InfrastructureError, match="a generator"):
                await generate_inputs(unit, model, Prompts(None), client, build_config(sizes=sizes))


def test_new_fields_at_their_defaults_do_not_change_what_a_run_was_begun_with() -> None:
    before = build_config().compute_fingerprint("model", "random_inputs")
    assert build_config().compute_fingerprint("model", "generators", "validators", "random_inputs") == before
    assert build_config(validators=3).compute_fingerprint("model", "validators", "random_inputs") != before
