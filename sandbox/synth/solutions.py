"""Stage 5: candidate solutions, and which of them are fit to vote: one code block, that parses, of a sane length."""

from __future__ import annotations

import re

from sandbox.rewards.extract import extract, parses
from sandbox.synth.lines import Record, Unit
from sandbox.synth.model import Completion, Model, TooLong
from sandbox.synth.prompts import Prompts
from sandbox.synth.recipe import Recipe

FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


def units(recipe: Recipe, tasks: list[Record]) -> list[Unit]:
    return [
        Unit(f"{task['key']}/{sample:03}", {"task": task["key"], "statement": task["statement"]})
        for task in tasks
        for sample in range(recipe.solutions)
    ]


async def solve(unit: Unit, model: Model, prompts: Prompts, recipe: Recipe) -> Record:
    """One candidate; `dropped` says why it is none."""
    inquiry = model.inquiry("solutions", unit.key)
    prompt = prompts.fill("solve", statement=unit.given["statement"], language=recipe.language)
    text = ""
    try:
        completion = await inquiry.ask(prompt)
    except TooLong:
        code, dropped = "", "prompt too long"
    else:
        text = completion.text
        code, dropped = filtered(completion, recipe.language, recipe.solution_tokens)
    return {
        "task": unit.given["task"],
        "completion": text,
        "code": code,
        "dropped": dropped,
        "usage": inquiry.usage.record(),
    }


def filtered(completion: Completion, language: str, tokens: tuple[int, int]) -> tuple[str, str]:
    """The code of a completion that may vote, or why it may not."""
    answer = extract(completion.text, language)
    if not completion.whole:
        return "", "cut off"
    if answer is None:
        return "", "no code block"
    if len(FENCE.findall(completion.text.rpartition("</think>")[2])) != 2:
        return "", "not one code block"
    if not tokens[0] <= completion.tokens <= tokens[1]:
        return "", "too short" if completion.tokens < tokens[0] else "too long"
    if language == "python" and not parses(answer.code):
        return "", "does not parse"
    return answer.code, ""
