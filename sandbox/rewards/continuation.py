"""Where a completion of a function ends: models write on after it, and graders cut that off.

A completion that begins with an indented line continues a prompt, and ends before the first line that is not
indented. One that is a whole program ends after the function that was asked for, but for further definitions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from sandbox.rewards import extraction
from sandbox.rewards.preamble import join_parts

# A line within brackets or quotes may stand at the left too: that many places are tried before the first one is taken.
MAX_CUTS = 8
# A function that a prompt asks for is shorter. A longer text is cut without a look at whether it parses.
MAX_PARSED_CHARS = 1 << 16
_STATEMENT = re.compile(
    r"import\s+\w|from\s+\S+\s+import\b|(?:async\s+)?def\s|class\s+\w+\s*[(:]|@\w|[A-Za-z_]\w*\s*=\s*[^\s=]"
)
_DEFINITION = re.compile(r"^(?:async\s+def|def|class)\s", re.MULTILINE)
_DEFINITION_NODES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign)


def is_continuation(completion: str) -> bool:
    """Return whether the first line with something on it is indented."""
    first = next((line for line in completion.splitlines() if line.strip()), "")
    return first[:1].isspace()


def continues_function(prompt: str, completion: str) -> bool:
    """Return whether a completion goes on in the function that its prompt begins, rather than talk about it."""
    if not is_continuation(completion):
        return False
    return "```" not in completion or parses(f"{prompt}\n{cut_continuation(prompt, completion)}")


def complete_prompt(prompt: str, code: str) -> str:
    """Return the program of a prompt that begins a function, and a completion: its rest, or the function once more."""
    if is_continuation(code):
        return join_parts(f"{prompt}\n", cut_continuation(prompt, code))
    return join_parts(f"{prompt}\n", "    pass\n\n\n", code)


def cut_continuation(prompt: str, completion: str) -> str:
    """Return the completion of `prompt` up to the first line at the left margin that the function can end before."""
    cuts = list(_find_margin_lines(completion))
    for cut in cuts[:MAX_CUTS]:
        if parses(f"{prompt}\n{completion[:cut]}"):
            return completion[:cut]
    return completion[: cuts[0]] if cuts else completion


def cut_after_function(program: str, name: str) -> str:
    """Return a program that defines `name` without what follows it, except for more definitions."""
    name = name.partition(".")[0]
    found = re.search(rf"^(?:async\s+def|def|class)\s+{re.escape(name)}\b", program, re.MULTILINE)
    if found is None or not name:
        return program
    for cut in list(_find_margin_lines(program, found.end()))[:MAX_CUTS]:
        if parses(program[:cut]):
            return program[:cut] + _find_later_definitions(program, cut)
    return program


def find_definitions(text: str) -> str:
    """Return the imports, definitions and constants at the left margin of a text that is not Python as a whole."""
    definition_lines: list[str] = []
    inside = False
    for line in text.split("\n"):
        if line.strip() and not line[0].isspace():
            inside = _STATEMENT.match(line) is not None or (inside and line[0] in ")]}")
        if inside:
            definition_lines.append(line)
    code = "\n".join(definition_lines)
    return code if _DEFINITION.search(code) else ""


def cut_before_tests(program: str) -> str:
    """Return a program up to the asserts, the triple quotes or the `__main__` block that follow a definition."""
    start = _DEFINITION.search(program)
    if start is None:
        return program
    end = re.compile(r"^(?:assert\b|\"\"\"|if __name__ ==)", re.MULTILINE).search(program, start.end())
    return program if end is None else program[: end.start()]


def parses(source: str) -> bool:
    """Return whether a source of bearable length is Python."""
    return len(source) <= MAX_PARSED_CHARS and extraction.parses(source)


def _find_margin_lines(text: str, start: int = 0) -> Iterator[int]:
    """Yield where the lines begin, after the one at `start`, that have something at the left margin."""
    at = text.find("\n", start) + 1
    while at:
        if at < len(text) and not text[at].isspace():
            yield at
        at = text.find("\n", at) + 1


def _find_later_definitions(program: str, start: int) -> str:
    """The definitions after `start`; none where the rest does not parse."""
    if not parses(program):
        return ""
    first = program.count("\n", 0, start) + 1
    lines = program.split("\n")
    definitions = [
        "\n".join(lines[_find_first_line(node) - 1 : node.end_lineno])
        for node in ast.parse(program).body
        if isinstance(node, _DEFINITION_NODES) and node.lineno >= first
    ]
    return "\n".join(definitions) + "\n" if definitions else ""


def _find_first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])
