"""Read the code blocks of Markdown text that a model wrote. Pure, and linear in the length of the text.

Theory of operation: the scanner reads each line once, with string methods and regular expressions that cannot
backtrack. A line without a fence costs one search. Fences follow CommonMark, with the tolerance that model output
needs:

- A fence may follow quote or list markers, a byte order mark, or a tag such as `<answer>`. After other text it opens a
  block only if it names a language. In lenient mode the name is optional.
- A closing fence may be followed by other text, and may end the line of the last statement (`print(1)```). Fence marks
  inside a string or a comment are code.
- A whole block may be indented, and the last block may lack its closing fence.
- A fence with a language inside an open block opens another block. The open one is either a draft that was never closed
  or a Markdown block around the answer.

Inside an open block everything is text, so thinking tags that a program prints are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.rewards.fences import (
    BLANK,
    FENCE_MARKS,
    WORD,
    is_language,
    is_name,
    is_wrapper,
    measure_depth,
    measure_prefix,
    opens_block,
    split_fence,
    strip_quotes,
)

# A closing fence may be indented this much more than its opening fence (CommonMark). With more it is content, such as a
# fence in a docstring.
_MAX_EXTRA_INDENT = 3
_MARK_RUN = re.compile(r"`{3,}|~{3,}")
_INLINE_CODE = re.compile(r"```([\w+#.\-]+)[ \t]+([^`]+)```")
_COMMENTS = ("#", "//", "/*", "* ", "-- ", ";", "%")


class StillThinking(Exception):
    """The text ended inside the model's thinking."""


@dataclass(slots=True)
class CodeBlock:
    """One fenced block. `quote_depth` counts the quote markers before its fence, `indent` the columns of indent."""

    tag: str
    mark: str
    indent: int = 0
    quote_depth: int = 0
    lines: list[str] = field(default_factory=list)
    closed: bool = False
    interrupted: bool = False
    _quoted: bool = False
    _scanned_lines: int = 0
    _in_string: bool = False

    @property
    def code(self) -> str:
        lines: Sequence[str] = self.lines
        if self.quote_depth:
            lines = [strip_quotes(line, self.quote_depth) for line in lines]
        first = next((line for line in lines if line.strip()), "")
        indent = min(self.indent, _count_indent(first))
        if indent:
            lines = [line[min(indent, _count_indent(line)) :] for line in lines]
        return "\n".join(lines)

    @property
    def has_code(self) -> bool:
        return any(map(str.strip, self.lines))

    def leaves_quote(self, line: str) -> bool:
        """Return whether a line leaves the quote that the block is in: earlier lines were quoted, this one is not."""
        quoted = line.lstrip(BLANK).startswith(">")
        leaves = self._quoted and not quoted
        self._quoted = self._quoted or quoted
        return leaves

    def ends_before(self, code: str) -> bool:
        """Return whether fence marks right after `code`, on the block's next line, close the block."""
        bare = code.strip()
        if not bare or bare.startswith(_COMMENTS) or bare == "*":
            return False
        for line in self.lines[self._scanned_lines :]:
            self._in_string ^= _toggles_string(line)
        self._scanned_lines = len(self.lines)
        if self._in_string ^ _toggles_string(code):
            return False
        plain = code.replace('"""', "").replace("'''", "").replace('\\"', "").replace("\\'", "")
        return plain.count('"') % 2 == 0 and plain.count("'") % 2 == 0


@dataclass(frozen=True, slots=True)
class BlockScan:
    """The blocks that hold code, in order.

    `before` is the text before the first fence if that fence has no name. `open_block` is the block still open at the
    end of the text.
    """

    blocks: list[CodeBlock]
    before: str | None = None
    open_block: CodeBlock | None = None

    @property
    def ends_open(self) -> bool:
        """Return whether the text ends inside a block, so its fences do not pair up."""
        return self.open_block is not None


def scan_blocks(text: str, thinking_tag: str = "", *, opened: str = "", lenient: bool = False) -> BlockScan:
    """Read all blocks. `opened` is the tag of a fence that precedes the text. Raises StillThinking."""
    reader = _BlockScanner(lenient)
    if opened:
        reader.begin_block(CodeBlock(opened, "```"))
    lines = text.split("\n")
    first = reader.scan(lines, thinking_tag)
    open_block = reader.open_blocks[-1] if reader.open_blocks and not reader.close_mismatched() else None
    blocks = [block for found in reader.blocks for block in _unwrap(found)]
    before = None if first is None or opened or reader.blocks[0].tag else "\n".join(lines[:first])
    return BlockScan(blocks, before, open_block)


class _BlockScanner:
    """Collects the blocks found so far and the stack of open blocks, innermost last."""

    def __init__(self, lenient: bool) -> None:
        self.blocks: list[CodeBlock] = []
        self.open_blocks: list[CodeBlock] = []
        self._lenient = lenient

    def scan(self, lines: Sequence[str], thinking_tag: str) -> int | None:
        """Read the lines; return the number of the one with the first fence. Raises StillThinking."""
        thinking = False
        first = None
        start, end = f"<{thinking_tag}>", f"</{thinking_tag}>"
        for number, line in enumerate(lines):
            if thinking or (thinking_tag and not self.open_blocks and line.lstrip().startswith(start)):
                _, closed, line = line.partition(end)  # keep the text after the thinking
                thinking = not closed
            if not thinking:
                self._read_line(line)
                if first is None and self.blocks:
                    first = number
        if thinking:
            raise StillThinking
        return first

    def begin_block(self, block: CodeBlock) -> None:
        self.open_blocks.append(block)
        self.blocks.append(block)

    def close_mismatched(self) -> bool:
        """Close the last block at a bare fence whose marks differ from its own. Return whether there was one."""
        block = self.open_blocks[-1]
        if is_wrapper(block.tag):
            return False
        for number, line in enumerate(block.lines):
            bare = strip_quotes(line, block.quote_depth).strip(BLANK)
            if bare.startswith(FENCE_MARKS) and not bare.strip(bare[0]):
                del block.lines[number:]
                block.closed = True
                return True
        return False

    def _read_line(self, line: str) -> None:
        block = self.open_blocks[-1] if self.open_blocks else None
        if block is not None and block.quote_depth and block.leaves_quote(line):
            self.open_blocks.pop()
            block = None
        if "```" not in line and "~~~" not in line:
            if block is not None:
                block.lines.append(line)
        elif block is None:
            self._read_outside(line)
        else:
            self._read_inside(block, line)

    def _read_outside(self, line: str) -> None:
        """Read a line with fence marks outside any block."""
        end = measure_prefix(line)
        bare = line[end:]
        if bare.startswith(FENCE_MARKS):
            mark, info = split_fence(bare)
            if mark[0] == "~" or "`" not in info:  # otherwise it is inline code, not a fence
                quotes, indent = measure_depth(line[:end])
                self.begin_block(CodeBlock(info, mark, indent, quotes))
                return
        self._read_behind_text(line, end)

    def _read_behind_text(self, line: str, prefix: int) -> None:
        runs = list(_MARK_RUN.finditer(line))
        if len(runs) % 2 == 0:
            if self._lenient:
                self._read_span(line)
            return
        info = line[runs[-1].end() :].strip(BLANK)
        if is_name(info) or (self._lenient and (not info or WORD.fullmatch(info))):
            quotes, indent = measure_depth(line[:prefix])
            self.begin_block(CodeBlock(info, runs[-1].group(), indent, quotes))

    def _read_span(self, line: str) -> None:
        """Treat inline code as a block if it begins with the name of a language."""
        for name, code in _INLINE_CODE.findall(line):
            if is_language(name):
                self.blocks.append(CodeBlock(name, "```", lines=[code.strip()], closed=True))

    def _read_inside(self, block: CodeBlock, line: str) -> None:
        """Read a line with fence marks inside a block."""
        text = strip_quotes(line, block.quote_depth)
        bare = text.lstrip(BLANK)
        if bare.startswith(block.mark) and len(text) - len(bare) <= block.indent + _MAX_EXTRA_INDENT:
            mark, info = split_fence(bare)
            if mark[0] == "~" or "`" not in info:
                self._read_fence(
                    block, CodeBlock(info, mark, len(text) - len(bare), block.quote_depth), bare[len(mark) :]
                )
                return
        start = text.find(block.mark)
        if start > 0 and block.ends_before(text[:start]):
            mark, info = split_fence(text[start:])
            if mark[0] == "`" or not info:
                block.lines.append(text[:start])
                self._close(block)
                if is_name(info):
                    self.begin_block(CodeBlock(info, mark))
                return
        block.lines.append(line)

    def _read_fence(self, block: CodeBlock, fence: CodeBlock, behind: str) -> None:
        """Read a fence at the start of a line: it opens another block or closes the open one."""
        if opens_block(fence.tag, adjacent=not behind[:1].isspace()):
            block.interrupted = True
            self.begin_block(fence)
        else:
            self._close(block)

    def _close(self, block: CodeBlock) -> None:
        block.closed = True
        self.open_blocks.pop()


def _toggles_string(line: str) -> bool:
    """Return whether a line starts or ends a triple-quoted string."""
    return (line.count('"""') + line.count("'''")) % 2 == 1


def _count_indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _unwrap(block: CodeBlock) -> list[CodeBlock]:
    """Return the blocks that hold code: those inside a Markdown block, or the block itself."""
    if block.interrupted or not block.has_code:
        return []
    if not is_wrapper(block.tag):
        return [_tag_by_first_line(block)]
    reader = _BlockScanner(lenient=False)
    reader.scan(block.code.split("\n"), "")
    return [_tag_by_first_line(inner) for inner in reader.blocks if not inner.interrupted and inner.has_code]


def _tag_by_first_line(block: CodeBlock) -> CodeBlock:
    """Return the block; if its fence names no language, but its first line does, tag it with that."""
    name = block.lines[0].strip()
    if block.tag or not 1 < len(name) < 12 or not is_language(name) or not any(map(str.strip, block.lines[1:])):
        return block
    return CodeBlock(name, block.mark, block.indent, block.quote_depth, block.lines[1:], block.closed)
