"""Stage 4: create test inputs. The model writes generators and validators, which run only in boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sandbox.client import AsyncClient
from sandbox.errors import InfrastructureError
from sandbox.llm.chat_model import ChatModel, PromptSession
from sandbox.schema import ExecuteResult
from sandbox.synth.prompts import Prompts
from sandbox.synth.resumable_jsonl import Record, Unit
from sandbox.synth.run_config import RunConfig
from sandbox.synth.stages.checkers import ask_for_checkers, parse_program
from sandbox.verify.input_generation import sweep_sizes
from sandbox.verify.validators import Decision, decide_input

LIMITS = {"cpu_time_s": 10, "wall_time_s": 30, "output_kb": 1024}


async def generate_inputs(
    unit: Unit, model: ChatModel, prompts: Prompts, client: AsyncClient, run_config: RunConfig
) -> Record:
    """Generate the inputs of one task, drop duplicates, and check them with the validator.

    Also ask for the checkers and brute-force programs of the vote.
    """
    session = model.start_session("inputs", unit.key)
    statement = unit.payload["statement"]
    generator_prompt = "generator-sized" if run_config.sizes else "generator"
    generators = await _ask(session, prompts.fill(generator_prompt, statement=statement), run_config.generators)
    validators = await _ask(session, prompts.fill("validator", statement=statement), run_config.validators)
    kept: list[Record] = []
    dropped: Counter[str] = Counter()
    if generators and validators:
        kept, dropped = await _generate_and_validate(generators, validators, client, run_config)
    checkers = await ask_for_checkers(session, prompts, statement, run_config.checkers) if kept else []
    brutes = await _ask(session, prompts.fill("brute", statement=statement), run_config.brutes) if kept else []
    several = run_config.generators > 1 or run_config.validators > 1
    return {
        "inputs": kept,
        "dropped": dict(sorted(dropped.items())),
        "generator": generators[0] if generators else "",
        "validator": validators[0] if validators else "",
        **({"generators": generators, "validators": validators} if several else {}),
        **({"checkers": checkers} if run_config.checkers else {}),
        **({"brutes": brutes} if run_config.brutes else {}),
        "failed": not kept,
        "usage": session.usage.to_record(),
    }


async def _ask(session: PromptSession, prompt: str, count: int) -> list[str]:
    """Ask for several programs; return those that are not missing. The calls of a session have different seeds."""
    programs = [await session.ask_until_parsed(prompt, parse_program) for _ in range(count)]
    return [program for program in programs if program]


def _list_generator_runs(run_config: RunConfig) -> Iterator[tuple[str, int]]:
    for kind, number in (
        ("random", run_config.random_inputs),
        ("edge", run_config.edge_inputs),
        ("stress", run_config.stress_inputs),
    ):
        for place in range(number):
            yield kind, run_config.seed * 1_000 + place


async def _generate_and_validate(
    generators: list[str], validators: list[str], client: AsyncClient, run_config: RunConfig
) -> tuple[list[Record], Counter[str]]:
    """Return the inputs that a majority of the validators accepts. The generators take turns.

    Raises InfrastructureError if the service failed.
    """
    kinds = [
        ({"kind": kind}, generators[place % len(generators)], [kind, str(seed)])
        for place, (kind, seed) in enumerate(_list_generator_runs(run_config))
    ]
    kinds += await _plan_sweep(generators, client, run_config)
    generated = await _run_generators([(code, args) for _, code, args in kinds], client)
    dropped: Counter[str] = Counter()
    found: dict[str, Record] = {}
    for (about, _, _), result in zip(kinds, generated, strict=True):
        fault = _find_fault(result, run_config.input_chars)
        if not fault and result.stdout in found:
            fault = "duplicate"
        if fault:
            dropped[fault] += 1
        else:
            found[result.stdout] = about
    if not found:
        return [], dropped
    valid = await _validate(validators, list(found), client)
    dropped += Counter({"invalid": valid.count(False)})
    return [{"stdin": text, **about} for (text, about), good in zip(found.items(), valid, strict=True) if good], dropped


async def _plan_sweep(
    generators: list[str], client: AsyncClient, run_config: RunConfig
) -> list[tuple[Record, str, list[str]]]:
    """Return the runs of a sweep of sizes: what the input is, the generator and its arguments.

    The generators take turns. Each one prints the largest size that it supports; one that prints none has no part.
    """
    if not run_config.sizes:
        return []
    answers = await _run_generators([(code, ["largest"]) for code in generators], client)
    limits = [(code, _read_size(answer)) for code, answer in zip(generators, answers, strict=True)]
    able = [(code, largest) for code, largest in limits if largest]
    if not able:
        return []
    runs = []
    sizes = sweep_sizes(1, max(largest for _, largest in able), max(run_config.sizes, 2))
    for place, size in enumerate(sizes):
        code, largest = able[place % len(able)]
        size = min(size, largest)
        runs.append(({"kind": "sized", "size": size}, code, ["sized", str(run_config.seed * 1_000 + place), str(size)]))
    return runs


async def _run_generators(runs: list[tuple[str, list[str]]], client: AsyncClient) -> list[ExecuteResult]:
    """Run generators, each with its arguments. Raises InfrastructureError if the service failed in a run."""
    results = await client.execute_batch([_build_request(code, args=args) for code, args in runs])
    if any(result.status == "internal_error" for result in results):
        raise InfrastructureError("the service failed to run a generator; run the stage again")
    return results


def _read_size(result: ExecuteResult) -> int:
    text = result.stdout.strip()
    return int(text) if result.status == "ok" and text.isdecimal() and len(text) < 16 else 0


async def _validate(validators: list[str], texts: list[str], client: AsyncClient) -> list[bool]:
    """Return whether more than half of the validators accept each input. One batch runs all of them.

    Raises InfrastructureError if the service failed where that could change the result.
    """
    checked = await client.execute_batch(
        [_build_request(validator, stdin=text) for validator in validators for text in texts]
    )
    valid = []
    for place in range(len(texts)):
        decisions = [
            Decision(None if result.status == "internal_error" else result.status == "ok")
            for result in checked[place :: len(texts)]
        ]
        decision = decide_input(decisions)
        if decision.accepts is None:
            raise InfrastructureError("the service failed to run a validator; run the stage again")
        valid.append(decision.accepts)
    return valid


def _build_request(code: str, stdin: str = "", args: list[str] | None = None) -> Record:
    return {"language": "python", "code": code, "stdin": stdin, "args": args or [], "limits": LIMITS}


def _find_fault(result: ExecuteResult, input_chars: int) -> str:
    if result.status != "ok":
        return "generator failed"
    if not result.stdout or result.stdout_base64 is not None:
        return "no text"
    return "too long" if len(result.stdout) > input_chars else ""
