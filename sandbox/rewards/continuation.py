"""Find the end of a completed function. Models keep writing after it, and graders cut the rest off.

A completion that begins with an indented line continues the prompt, and ends before the first line that is not
indented. A completion that is a whole program ends after the requested function; later definitions are kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from sandbox.rewards import extraction
from sandbox.rewards.preamble import join_parts

# A line inside brackets or quotes may also start at the left margin. Try this many cuts before settling for the first.
MAX_CUTS = 8
# The functions that prompts ask for are shorter. A longer text is cut without checking that it parses.
MAX_PARSED_CHARS = 1 << 16
_STATEMENT = re.compile(
    r"import\s+\w|from\s+\S+\s+import\b|(?:async\s+)?def\s|class\s+\w+\s*[(:]|@\w|[A-Za-z_]\w*\s*=\s*[^\s=]"
)
_DEFINITION = re.compile(r"^(?:async\s+def|def|class)\s", re.MULTILINE)
_DEFINITION_NODES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign)


def is_continuation(completion: str) -> bool:
    """Return whether the first non-blank line is indented."""
    first = next((line for line in completion.splitlines() if line.strip()), "")
    return first[:1].isspace()


def continues_function(prompt: str, completion: str) -> bool:
    """Return whether a completion continues the function that its prompt begins, instead of discussing it."""
    if not is_continuation(completion):
        return False
    return "```" not in completion or parses(f"{prompt}\n{cut_continuation(prompt, completion)}")


def complete_prompt(prompt: str, code: str) -> str:
    """Return the program made of a prompt that begins a function and of a completion.

    The completion is the rest of the function, or the whole function once more.
    """
    if is_continuation(code):
        return join_parts(f"{prompt}\n", cut_continuation(prompt, code))
    return join_parts(f"{prompt}\n", "    pass\n\n\n", code)


def cut_continuation(prompt: str, completion: str) -> str:
    """Cut the completion of `prompt` before the first line at the left margin where the function can end."""
    cuts = list(_find_margin_lines(completion))
    for cut in cuts[:MAX_CUTS]:
        if parses(f"{prompt}\n{completion[:cut]}"):
            return completion[:cut]
    return completion[: cuts[0]] if cuts else completion


def cut_after_function(program: str, name: str) -> str:
    """Return a program up to the end of the definition of `name`, plus any later definitions."""
    name = name.partition(".")[0]
    found = re.search(rf"^(?:async\s+def|def|class)\s+{re.escape(name)}\b", program, re.MULTILINE)
    if found is None or not name:
        return program
    for cut in list(_find_margin_lines(program, found.end()))[:MAX_CUTS]:
        if parses(program[:cut]):
            return program[:cut] + _find_later_definitions(program, cut)
    return program


def find_definitions(text: str) -> str:
    """Return the imports, definitions and constants at the left margin of a text that does not parse as a whole."""
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
    """Cut a program before the asserts, the triple quotes or the `__main__` block that follow a definition."""
    start = _DEFINITION.search(program)
    if start is None:
        return program
    end = re.compile(r"^(?:assert\b|\"\"\"|if __name__ ==)", re.MULTILINE).search(program, start.end())
    return program if end is None else program[: end.start()]


def parses(source: str) -> bool:
    """Return whether a source is Python. Sources over MAX_PARSED_CHARS are never parsed."""
    return len(source) <= MAX_PARSED_CHARS and extraction.parses(source)


def _find_margin_lines(text: str, start: int = 0) -> Iterator[int]:
    """Yield the offsets of the lines after `start` that begin at the left margin."""
    at = text.find("\n", start) + 1
    while at:
        if at < len(text) and not text[at].isspace():
            yield at
        at = text.find("\n", at) + 1


def _find_later_definitions(program: str, start: int) -> str:
    """Return the definitions after `start`, or nothing if the program does not parse."""
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
