"""Find the program in a completion: after the thinking, inside the code fences. Pure, and linear in its length.

Theory of operation: this module first removes the thinking. `sandbox.rewards.code_blocks` then reads the text once,
line by line, and returns its code blocks, from which this module picks the answer. If no block qualifies, the text is
read a second time in lenient mode, where a fence after other text counts as well.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox import languages
from sandbox.rewards.code_blocks import BlockScan, CodeBlock, StillThinking, scan_blocks
from sandbox.rewards.fences import starts_with_fence
from sandbox.rewards.fences import tag_language as tag_language
from sandbox.schema.reward_policy import Extraction as Extraction

DEFAULT_EXTRACTION = Extraction()
Completion = str | Sequence[Mapping[str, Any]]

# A token that ends a turn, pads a batch, or closes the answer. At the very end of a text it is not part of a program.
_END_TOKEN = re.compile(
    r"<[|\uff5c][^<>\s]{1,60}[|\uff5c]>|</?s>|<(?:pad|eos|end_of_turn|end_of_sentence)>|\[PAD\]"
    r"|</(?:answer|final_answer|solution|response|output|code)>"
)
_END_TOKEN_CHARS = 64
_PROSE = re.compile(r"[\w\s.,!?'\u2019-]*:?")


@dataclass(frozen=True, slots=True)
class Answer:
    """The code of a completion. `closed` is False if the completion ended inside its block or has no block."""

    code: str
    language: str
    closed: bool


def extract(
    completion: Completion,
    language: str = "",
    options: Extraction = DEFAULT_EXTRACTION,
    *,
    skipped: Collection[str] = (),
) -> Answer | None:
    """Return the answer of a completion, which is text or chat messages, or None if it has none.

    The answer must be in `language`; if that is empty, the answer's own tag decides. `skipped` holds the fingerprints
    (see `fingerprint`) of blocks that are not the answer, such as those of the prompt.
    """
    wanted = tag_language(language)
    try:
        text = _strip_thinking(_strip_end_tokens(get_completion_text(completion)), options)
        blocks, candidates = _find_blocks(text, wanted, options)
    except StillThinking:
        return None
    if skipped and candidates:
        candidates = [block for block in candidates if fingerprint(block.code) not in skipped]
    if candidates:
        return _pick_answer(candidates, wanted, options)
    code = "" if blocks or options.bare == "none" else _read_unfenced(text, wanted)
    return Answer(code, wanted, closed=False) if code and fingerprint(code) not in skipped else None


def fingerprint(code: str) -> str:
    """Return the code without white space, so that copies of one program compare equal."""
    return "".join(code.split())


def _find_blocks(text: str, wanted: str, options: Extraction) -> tuple[list[CodeBlock], list[CodeBlock]]:
    """Return all blocks, and the blocks that may be the answer. Raises StillThinking."""
    tag = options.thinking_tag
    opened = wanted or "text"
    if options.fence_open and not starts_with_fence(text):
        reading = scan_blocks(text, tag, opened=opened)
        return reading.blocks, _select_candidates(reading.blocks, wanted) if wanted else reading.blocks[:1]
    reading = scan_blocks(text, tag)
    if options.bare == "raw" and _begins_inside_block(reading, wanted):
        reading = scan_blocks(text, tag, opened=opened)
        return reading.blocks, _select_candidates(reading.blocks, wanted) if wanted else reading.blocks[:1]
    candidates = _select_candidates(reading.blocks, wanted)
    if not candidates and ("```" in text or "~~~" in text):
        lenient = scan_blocks(text, tag, lenient=True)
        candidates = _select_candidates(lenient.blocks, wanted)
        reading = lenient if candidates else reading
    return reading.blocks, candidates


def _read_unfenced(text: str, wanted: str) -> str:
    """Return the code of a text without blocks, up to any fence that ends it. Python code must parse."""
    if wanted != "python" or parses(text):
        return text.strip("\n") if text.strip() else ""
    before, marks, _ = text.partition("```")
    code = before.strip("\n")
    return code if marks and code.strip() and not _PROSE.fullmatch(code.strip()) and parses(code) else ""


def _begins_inside_block(reading: BlockScan, wanted: str) -> bool:
    """Return whether a text begins inside a block that the prompt opened: it begins with code and lacks a fence."""
    before = (reading.before or "").strip()
    if not reading.ends_open or not before or _PROSE.fullmatch(before):
        return False
    return parses(reading.before or "") if wanted in {"", "python"} else not before.endswith(":")


def get_completion_text(completion: Completion | None) -> str:
    """Return the completion's text. Of chat messages, that is the last non-blank message of the assistant."""
    if completion is None or isinstance(completion, str):
        return completion or ""
    for message in reversed(completion):
        if message.get("role", "assistant") == "assistant":
            text = get_content_text(message.get("content"))
            if text.strip():
                return text
    return ""


def parses(source: str) -> bool:
    """Return whether the source is valid Python for the interpreter that runs this code."""
    try:
        with warnings.catch_warnings():  # an invalid escape sequence is not an error, even with -W error
            warnings.simplefilter("ignore")
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def get_content_text(content: object) -> str:
    """Return the text of a chat message's content: a string, or a list with text parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "".join(part for part in parts if isinstance(part, str))


def _strip_end_tokens(text: str) -> str:
    """Remove the end tokens, and the closing tags of an answer, from the end of the text."""
    end = len(text.rstrip())
    while end and text[end - 1] in ">]":
        start = max(text.rfind("<", max(0, end - _END_TOKEN_CHARS), end), text.rfind("[PAD]", max(0, end - 5), end))
        if start < 0 or _END_TOKEN.fullmatch(text, start, end) is None:
            break
        end = start
        while end and text[end - 1].isspace():
            end -= 1
    return text if end == len(text.rstrip()) else text[:end]


def _strip_thinking(text: str, options: Extraction) -> str:
    """Return the text after the thinking at its start. The tag may have been opened in the prompt."""
    tag = options.thinking_tag
    if not tag:
        return text
    start, end = f"<{tag}>", f"</{tag}>"
    if options.thinking_open or text.lstrip().startswith(start):
        _, closed, rest = text.partition(end)
        if not closed:
            raise StillThinking
        return rest
    before, closed, rest = text.partition(end)
    # A closing tag alone: the prompt opened it. If a program prints the tag, the line has other text around it.
    if closed and start not in before and (_ends_line(before) or _begins_line(rest)):
        return rest
    return text


def _ends_line(text: str) -> bool:
    return not text[text.rfind("\n") + 1 :].strip()


def _begins_line(text: str) -> bool:
    end = text.find("\n")
    line = text[: len(text) if end < 0 else end].strip()
    return not line or line.startswith(("```", "~~~"))


def _select_candidates(blocks: Sequence[CodeBlock], wanted: str) -> list[CodeBlock]:
    """Return the blocks that may be the answer: in the wanted (or any served) language, otherwise the untagged ones."""
    tagged = [block for block in blocks if block.tag and _is_wanted_language(tag_language(block.tag), wanted)]
    return tagged or [block for block in blocks if not block.tag]


def _is_wanted_language(language: str, wanted: str) -> bool:
    """Return whether the language is the wanted one. `cpp`, `cpp17` and `cpp20` are standards of one language."""
    if not wanted:
        return language in languages.load_languages()
    return _strip_standard(language) == _strip_standard(wanted)


def _strip_standard(language: str) -> str:
    return language.rstrip("0123456789")


def _pick_answer(blocks: Sequence[CodeBlock], wanted: str, options: Extraction) -> Answer:
    match options.which:
        case "last":
            chosen = [blocks[-1]]
        case "first":
            chosen = [blocks[0]]
        case "longest":
            chosen = [max(blocks, key=lambda block: sum(map(len, block.lines)))]
        case "all":
            chosen = list(blocks)
    code = "\n".join(block.code for block in chosen)
    language = wanted or next((tag_language(block.tag) for block in chosen if block.tag), "")
    return Answer(code, language, closed=all(block.closed for block in chosen))
