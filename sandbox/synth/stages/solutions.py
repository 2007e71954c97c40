"""Stage 5: create candidate solutions, and keep those with one code block, valid syntax and a plausible length."""

from __future__ import annotations

import re

from sandbox.llm.chat_model import ChatModel, Completion, PromptTooLong
from sandbox.rewards.extraction import extract, parses
from sandbox.synth.prompts import Prompts
from sandbox.synth.resumable_jsonl import Record, Unit
from sandbox.synth.run_config import RunConfig

FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


def build_units(run_config: RunConfig, tasks: list[Record]) -> list[Unit]:
    return [
        Unit(f"{task['key']}/{sample:03}", {"task": task["key"], "statement": task["statement"]})
        for task in tasks
        for sample in range(run_config.solutions)
    ]


async def solve(unit: Unit, model: ChatModel, prompts: Prompts, run_config: RunConfig) -> Record:
    """Generate one candidate; `dropped` says why it cannot vote."""
    session = model.start_session("solutions", unit.key)
    prompt = prompts.fill("solve", statement=unit.payload["statement"], language=run_config.language)
    text = ""
    try:
        completion = await session.ask(prompt)
    except PromptTooLong:
        code, dropped = "", "prompt too long"
    else:
        text = completion.text
        code, dropped = filter_completion(completion, run_config.language, run_config.solution_tokens)
    return {
        "task": unit.payload["task"],
        "completion": text,
        "code": code,
        "dropped": dropped,
        "usage": session.usage.to_record(),
    }


def filter_completion(completion: Completion, language: str, token_range: tuple[int, int]) -> tuple[str, str]:
    """Return the code of a completion that may vote and an empty string, or no code and the reason."""
    answer = extract(completion.text, language)
    if not completion.complete:
        return "", "cut off"
    if answer is None:
        return "", "no code block"
    if len(FENCE.findall(completion.text.rpartition("</think>")[2])) != 2:
        return "", "not one code block"
    if not token_range[0] <= completion.tokens <= token_range[1]:
        return "", "too short" if completion.tokens < token_range[0] else "too long"
    if language == "python" and not parses(answer.code):
        return "", "does not parse"
    return answer.code, ""
