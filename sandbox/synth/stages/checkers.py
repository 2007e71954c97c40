"""The part of stage 4 about tasks with many right outputs: the model writes checker programs.

A checker decides nothing until a vote has calibrated it: stage 6 uses the first one that can be trusted.
"""

from __future__ import annotations

from sandbox.llm.chat_model import PromptSession, Unparsable
from sandbox.rewards.extraction import extract
from sandbox.synth.prompts import Prompts

ONE_ANSWER = "one answer"
ANY_ORDER = "# any order"


async def ask_for_checkers(session: PromptSession, prompts: Prompts, statement: str, count: int) -> list[str]:
    """Return different checker programs; none if at least half of the answers say that one output is right."""
    prompt = prompts.fill("checker", statement=statement)
    answers = [await session.ask_until_parsed(prompt, _parse_checker) for _ in range(count)]
    programs = [answer for answer in answers if answer]
    return list(dict.fromkeys(programs)) if 2 * len(programs) > count else []


def ignores_order(code: str) -> bool:
    """Return whether the checker says that a right output stays right in another order."""
    return code.lstrip().lower().startswith(ANY_ORDER)


def _parse_checker(text: str) -> str:
    """Return the program, or an empty string if the answer says that only one output is right."""
    if ONE_ANSWER in text.rpartition("</think>")[2].lower() and extract(text, "python") is None:
        return ""
    return parse_program(text)


def parse_program(text: str) -> str:
    """Return the Python program in a completion. Raises Unparsable."""
    answer = extract(text, "python")
    if answer is None:
        raise Unparsable
    return answer.code
