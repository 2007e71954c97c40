"""Stage 4: test inputs. The model writes a generator and a validator; both run in boxes, never here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sandbox.client import AsyncClient
from sandbox.rewards.extract import extract
from sandbox.schema import ExecuteResult
from sandbox.synth.lines import Record, Unit
from sandbox.synth.model import Model, Unparsable
from sandbox.synth.prompts import Prompts
from sandbox.synth.recipe import Recipe

LIMITS = {"cpu_time_s": 10, "wall_time_s": 30, "output_kb": 1024}


async def make(unit: Unit, model: Model, prompts: Prompts, client: AsyncClient, recipe: Recipe) -> Record:
    """Inputs of one task: generated, checked by the validator, each once."""
    inquiry = model.inquiry("inputs", unit.key)
    statement = unit.given["statement"]
    generator = await inquiry.parsed(prompts.fill("generator", statement=statement), _program)
    validator = await inquiry.parsed(prompts.fill("validator", statement=statement), _program)
    kept: list[Record] = []
    dropped: Counter[str] = Counter()
    if generator and validator:
        kept, dropped = await _run(generator, validator, client, recipe)
    return {
        "inputs": kept,
        "dropped": dict(sorted(dropped.items())),
        "generator": generator or "",
        "validator": validator or "",
        "failed": not kept,
        "usage": inquiry.usage.record(),
    }


def _program(text: str) -> str:
    answer = extract(text, "python")
    if answer is None:
        raise Unparsable
    return answer.code


def _asked(recipe: Recipe) -> Iterator[tuple[str, int]]:
    for kind, number in (
        ("random", recipe.random_inputs),
        ("edge", recipe.edge_inputs),
        ("stress", recipe.stress_inputs),
    ):
        for place in range(number):
            yield kind, recipe.seed * 1_000 + place


async def _run(
    generator: str, validator: str, client: AsyncClient, recipe: Recipe
) -> tuple[list[Record], Counter[str]]:
    asked = list(_asked(recipe))
    made = await client.execute_batch([_program_run(generator, args=[kind, str(seed)]) for kind, seed in asked])
    dropped: Counter[str] = Counter()
    texts: dict[str, str] = {}
    for (kind, _), result in zip(asked, made, strict=True):
        fault = _fault(result, recipe.input_chars)
        if not fault and result.stdout in texts:
            fault = "duplicate"
        if fault:
            dropped[fault] += 1
        else:
            texts[result.stdout] = kind
    if not texts:
        return [], dropped
    checked = await client.execute_batch([_program_run(validator, stdin=text) for text in texts])
    valid = [result.status == "ok" for result in checked]
    dropped += Counter({"invalid": valid.count(False)})
    return [
        {"stdin": text, "kind": kind} for (text, kind), good in zip(texts.items(), valid, strict=True) if good
    ], dropped


def _program_run(code: str, stdin: str = "", args: list[str] | None = None) -> Record:
    return {"language": "python", "code": code, "stdin": stdin, "args": args or [], "limits": LIMITS}


def _fault(result: ExecuteResult, input_chars: int) -> str:
    if result.status != "ok":
        return "generator failed"
    if not result.stdout or result.stdout_base64 is not None:
        return "no text"
    return "too long" if len(result.stdout) > input_chars else ""
