"""Stage 4: create test inputs. The model writes a generator and a validator; both run only in boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sandbox.client import AsyncClient
from sandbox.llm.chat_model import ChatModel, Unparsable
from sandbox.rewards.extraction import extract
from sandbox.schema import ExecuteResult
from sandbox.synth.prompts import Prompts
from sandbox.synth.resumable_jsonl import Record, Unit
from sandbox.synth.run_config import RunConfig

LIMITS = {"cpu_time_s": 10, "wall_time_s": 30, "output_kb": 1024}


async def generate_inputs(
    unit: Unit, model: ChatModel, prompts: Prompts, client: AsyncClient, run_config: RunConfig
) -> Record:
    """Generate the inputs of one task, drop duplicates, and check them with the validator."""
    session = model.start_session("inputs", unit.key)
    statement = unit.payload["statement"]
    generator = await session.ask_until_parsed(prompts.fill("generator", statement=statement), _parse_program)
    validator = await session.ask_until_parsed(prompts.fill("validator", statement=statement), _parse_program)
    kept: list[Record] = []
    dropped: Counter[str] = Counter()
    if generator and validator:
        kept, dropped = await _generate_and_validate(generator, validator, client, run_config)
    return {
        "inputs": kept,
        "dropped": dict(sorted(dropped.items())),
        "generator": generator or "",
        "validator": validator or "",
        "failed": not kept,
        "usage": session.usage.to_record(),
    }


def _parse_program(text: str) -> str:
    answer = extract(text, "python")
    if answer is None:
        raise Unparsable
    return answer.code


def _list_generator_runs(run_config: RunConfig) -> Iterator[tuple[str, int]]:
    for kind, number in (
        ("random", run_config.random_inputs),
        ("edge", run_config.edge_inputs),
        ("stress", run_config.stress_inputs),
    ):
        for place in range(number):
            yield kind, run_config.seed * 1_000 + place


async def _generate_and_validate(
    generator: str, validator: str, client: AsyncClient, run_config: RunConfig
) -> tuple[list[Record], Counter[str]]:
    generator_runs = list(_list_generator_runs(run_config))
    generated = await client.execute_batch(
        [_build_request(generator, args=[kind, str(seed)]) for kind, seed in generator_runs]
    )
    dropped: Counter[str] = Counter()
    texts: dict[str, str] = {}
    for (kind, _), result in zip(generator_runs, generated, strict=True):
        fault = _find_fault(result, run_config.input_chars)
        if not fault and result.stdout in texts:
            fault = "duplicate"
        if fault:
            dropped[fault] += 1
        else:
            texts[result.stdout] = kind
    if not texts:
        return [], dropped
    checked = await client.execute_batch([_build_request(validator, stdin=text) for text in texts])
    valid = [result.status == "ok" for result in checked]
    dropped += Counter({"invalid": valid.count(False)})
    return [
        {"stdin": text, "kind": kind} for (text, kind), good in zip(texts.items(), valid, strict=True) if good
    ], dropped


def _build_request(code: str, stdin: str = "", args: list[str] | None = None) -> Record:
    return {"language": "python", "code": code, "stdin": stdin, "args": args or [], "limits": LIMITS}


def _find_fault(result: ExecuteResult, input_chars: int) -> str:
    if result.status != "ok":
        return "generator failed"
    if not result.stdout or result.stdout_base64 is not None:
        return "no text"
    return "too long" if len(result.stdout) > input_chars else ""
