"""Code out of a completion: past the thinking, out of the fences. Pure, and linear in the completion's length.

Theory of operation: a completion is read line by line, once, with string methods only. Fences are CommonMark's, read
with the mercy that model output needs: a block may be indented as a whole, the last one may lack its end, and a fence
with a language tag inside an open block begins another block (a draft that was never closed, or a Markdown block
around the answer). What stands inside an open block is text: tags of thinking that a program prints are left alone.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sandbox import languages
from sandbox.errors import UnknownLanguage

Completion = str | Sequence[Mapping[str, Any]]

_WRAPPERS = frozenset({"markdown", "md"})
# Indentation that a closing fence may have over its opening one (CommonMark): more makes it content, such as a fence
# in a docstring.
_SLACK = 3


@dataclass(frozen=True, slots=True)
class Extraction:
    """How to find the answer.

    `which` of several blocks counts: the last, the first, the longest, or all of them joined. Blocks tagged with the
    expected language come before untagged ones; blocks in another language never count. `bare` says what text without
    any fence is: no answer, or (`raw`) the answer, in Python only where it parses. `thinking_tag` names the tag around
    thoughts, empty for none; `thinking_open` says that the prompt has opened it already, so that a completion that
    never closes it has no answer.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 -- read by pydantic at the edge, not a field

    which: Literal["last", "first", "longest", "all"] = "last"
    bare: Literal["none", "raw"] = "none"
    thinking_tag: str = "think"
    thinking_open: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """The code of a completion. `closed` is False when the completion ended inside its block, or has no block."""

    code: str
    language: str
    closed: bool


@dataclass(slots=True)
class _Block:
    tag: str
    mark: str
    indent: int
    lines: list[str]
    closed: bool = False
    interrupted: bool = False

    @property
    def code(self) -> str:
        return "\n".join(_without_indent(line, self.indent) for line in self.lines)


class _StillThinking(Exception):
    """The completion ended inside a thought."""


def extract(completion: Completion, language: str = "", options: Extraction = Extraction()) -> Answer | None:
    """The answer of a completion, a text or chat messages; None where there is none.

    `language` is the one the answer has to be in; empty, it is the answer's own tag that tells.
    """
    wanted = tag_language(language)
    try:
        text = _after_thinking(text_of(completion), options)
        blocks = _blocks(text, options.thinking_tag)
    except _StillThinking:
        return None
    candidates = _candidates(blocks, wanted)
    if candidates:
        return _pick(candidates, wanted, options)
    if not blocks and options.bare == "raw" and text.strip() and (wanted != "python" or parses(text)):
        return Answer(text.strip("\n"), wanted, closed=False)
    return None


def text_of(completion: Completion) -> str:
    """The completion's own text: that of the last assistant message which has any, where it comes as messages."""
    if isinstance(completion, str):
        return completion
    for message in reversed(completion):
        if message.get("role", "assistant") == "assistant":
            text = _content(message.get("content"))
            if text.strip():
                return text
    return ""


def tag_language(tag: str) -> str:
    """The language a fence's tag names, by its own name where it is one of ours: `Python3`, `c++17`, `{.py}`."""
    words = tag.strip().strip("{}").split(maxsplit=1)
    if not words:
        return ""
    word = words[0].lstrip(".").rstrip(":,").lower()
    for name in (word, word.rstrip("0123456789.")):
        try:
            return languages.named(name).name
        except UnknownLanguage:
            continue
    return word


def parses(source: str) -> bool:
    """Whether Python source is a program by the grammar of the interpreter this runs on."""
    try:
        with warnings.catch_warnings():  # a dubious escape sequence is no syntax error, whatever -W says
            warnings.simplefilter("ignore")
            ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    parts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "".join(part for part in parts if isinstance(part, str))


def _after_thinking(text: str, options: Extraction) -> str:
    """The text after thoughts that the completion, or the prompt before it, begins with."""
    tag = options.thinking_tag
    if not tag:
        return text
    start, end = f"<{tag}>", f"</{tag}>"
    if options.thinking_open or text.lstrip().startswith(start):
        _, closed, rest = text.partition(end)
        if not closed:
            raise _StillThinking
        return rest
    before, closed, rest = text.partition(end)
    # An end without a start: the prompt opened it. A program that prints the tag has text around it on the line.
    if closed and start not in before and (_ends_line(before) or _begins_line(rest)):
        return rest
    return text


def _ends_line(text: str) -> bool:
    return not text[text.rfind("\n") + 1 :].strip()


def _begins_line(text: str) -> bool:
    end = text.find("\n")
    line = text[: len(text) if end < 0 else end].strip()
    return not line or line.startswith(("```", "~~~"))


def _blocks(text: str, thinking_tag: str, unwrap: bool = True) -> list[_Block]:
    """All blocks that hold code, in the order of their beginnings. Raises _StillThinking."""
    found: list[_Block] = []
    open_blocks: list[_Block] = []
    thinking = False
    start, end = f"<{thinking_tag}>", f"</{thinking_tag}>"
    for line in text.split("\n"):
        if thinking or (thinking_tag and not open_blocks and line.lstrip().startswith(start)):
            _, closed, line = line.partition(end)  # and what follows the thought is read on
            thinking = not closed
        if not thinking:
            _read_line(line, open_blocks, found)
    if thinking:
        raise _StillThinking
    whole = [block for block in found if not block.interrupted and any(map(str.strip, block.lines))]
    if not unwrap:
        return whole
    return [inner for block in whole for inner in _unwrapped(block)]


def _read_line(line: str, open_blocks: list[_Block], found: list[_Block]) -> None:
    """Take one line into the innermost open block, or begin or end one with it."""
    mark, tag, indent = _fence(line)
    block = open_blocks[-1] if open_blocks else None
    if block is None:
        if mark:
            _begin(_Block(tag, mark, indent, []), open_blocks, found)
    elif not mark or not mark.startswith(block.mark) or indent > block.indent + _SLACK:
        block.lines.append(line)
    elif tag:
        block.interrupted = True
        _begin(_Block(tag, mark, indent, []), open_blocks, found)
    else:
        block.closed = True
        open_blocks.pop()


def _begin(block: _Block, open_blocks: list[_Block], found: list[_Block]) -> None:
    open_blocks.append(block)
    found.append(block)


def _fence(line: str) -> tuple[str, str, int]:
    """The marks, the tag and the indentation of a fence; no marks where the line is none."""
    bare = line.lstrip(" \t")
    if not bare.startswith(("```", "~~~")):
        return "", "", 0
    mark = bare[: len(bare) - len(bare.lstrip(bare[0]))]
    tag = bare[len(mark) :].strip()
    if mark[0] == "`" and "`" in tag:  # code within a line, not a fence
        return "", "", 0
    return mark, tag, len(line) - len(bare)


def _unwrapped(block: _Block) -> list[_Block]:
    """A Markdown block's own blocks, or the block itself."""
    if tag_language(block.tag) not in _WRAPPERS:
        return [block]
    return _blocks(block.code, "", unwrap=False)


def _without_indent(line: str, indent: int) -> str:
    blank = len(line) - len(line.lstrip(" \t"))
    return line[min(indent, blank) :]


def _candidates(blocks: Sequence[_Block], wanted: str) -> list[_Block]:
    """The blocks that may be the answer: in the wanted language, or in any we know; failing those, untagged ones."""
    tagged = [block for block in blocks if block.tag and _fits(tag_language(block.tag), wanted)]
    return tagged or [block for block in blocks if not block.tag]


def _fits(language: str, wanted: str) -> bool:
    """C++ of any year is an answer where C++ is wanted: `cpp`, `cpp17` and `cpp20` are standards of one language."""
    if not wanted:
        return language in languages.table()
    return _without_year(language) == _without_year(wanted)


def _without_year(language: str) -> str:
    return language.rstrip("0123456789")


def _pick(blocks: Sequence[_Block], wanted: str, options: Extraction) -> Answer:
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
