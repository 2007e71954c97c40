"""Build the imports that a data set's own grader puts before a Python program.

| preamble                              | names                                                      | recursion limit |
| ------------------------------------- | ---------------------------------------------------------- | --------------- |
| `build_livecodebench_preamble(limit)` | STAR_IMPORTED_MODULES and all names in them                | the grader's    |
| `build_humaneval_preamble(*sources)`  | NAMED_MODULES, hashlib, NumPy, all of typing, collections  | Python's own    |

Programs written for those graders use `List`, `deque` or `sqrt` without importing them. A preamble has few lines,
because it shifts the line numbers of tracebacks. It is placed after the program's `from __future__` imports, which
Python only allows at the top.
"""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from io import StringIO
from itertools import islice

from sandbox.rewards.extraction import parses

# `typing` precedes `collections`, so that `Counter` is the class. `builtins` is last, so that `pow` is the built-in.
STAR_IMPORTED_MODULES = (
    *("string", "re", "datetime", "typing", "collections", "heapq", "bisect", "copy", "math", "random"),
    *("statistics", "itertools", "functools", "operator", "io", "sys", "json", "builtins"),
)
NAMED_MODULES = (
    *("math", "re", "sys", "copy", "datetime", "itertools", "collections", "heapq", "statistics", "functools"),
    "string",
)
LIVECODEBENCH_RECURSION_LIMIT = 50_000
MAX_HEAD_TOKENS = 10_000  # before and among the imports from `__future__`
SANDBOX_FUSION_RECURSION_LIMIT = 600_000

# Modules that are slow to import are only imported for sources that mention them.
_IMPORTS_ON_DEMAND = (
    (re.compile(r"\bhashlib\b"), "import hashlib\n"),
    (re.compile(r"\b(?:np|numpy)\b"), "import numpy; import numpy as np\n"),
)


def build_livecodebench_preamble(recursion_limit: int = LIVECODEBENCH_RECURSION_LIMIT) -> str:
    """Return the preamble of LiveCodeBench's grader. Other graders copy it with another recursion limit."""
    everything = "; ".join(f"from {name} import *" for name in STAR_IMPORTED_MODULES)
    modules = ", ".join(name for name in STAR_IMPORTED_MODULES if name not in {"typing", "builtins"})
    return f"{everything}; import {modules}; sys.setrecursionlimit({recursion_limit})\n"


def build_humaneval_preamble(*sources: str) -> str:
    """Return the preamble of HumanEval programs; `sources` are the program and its test."""
    alone = "".join(line for pattern, line in _IMPORTS_ON_DEMAND if any(map(pattern.search, sources)))
    return f"import {', '.join(NAMED_MODULES)}; from typing import *; from collections import *\n{alone}"


def insert_preamble(preamble: str, code: str) -> str:
    """Insert a preamble before Python source, but after its `from __future__` imports, which must come first."""
    if "__future__" not in code or not parses(code):
        return f"{preamble.rstrip()}\n{code}"
    body = ast.parse(code).body
    ends = [node.end_lineno or 0 for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    lines = code.split("\n")
    end = max(ends, default=0)
    return "\n".join([*lines[:end], preamble.rstrip(), *lines[end:]])


def join_parts(*parts: str) -> str:
    """Join the parts of a program in order, and move all their `from __future__` imports to the top."""
    if not any("__future__" in part for part in parts):
        return "".join(parts)
    futures: list[str] = []
    rests: list[str] = []
    for part in parts:
        own, rest = _split_future_imports(part)
        futures += own
        rests.append(rest)
    return "".join(f"{each}\n" for each in dict.fromkeys(futures)) + "".join(rests)


def _split_future_imports(source: str) -> tuple[list[str], str]:
    """Split off the `from __future__` imports at the top of a source. The rest keeps its line numbers."""
    starts = [0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    futures: list[str] = []
    rest_parts: list[str] = []
    at = 0
    for words in _find_future_imports(source):
        (first_line, first), (last_line, last) = words[0].start, words[-1].end
        begin, end = starts[first_line - 1] + first, starts[last_line - 1] + last
        futures.append(" ".join(word.string for word in words))
        rest_parts += [source[at:begin], "pass", "\n" * source.count("\n", begin, end)]
        at = end
    return futures, "".join([*rest_parts, source[at:]])


def _find_future_imports(source: str) -> Iterator[list[tokenize.TokenInfo]]:
    """Yield the tokens of each `from __future__` import at the top. The text after them need not be Python."""
    tokens: list[tokenize.TokenInfo] = []
    try:
        for token in islice(tokenize.generate_tokens(StringIO(source).readline), MAX_HEAD_TOKENS):
            if token.type in {tokenize.COMMENT, tokenize.NL}:
                continue
            if token.type != tokenize.NEWLINE and token.string != ";":
                tokens.append(token)
            elif [word.string for word in tokens[:2]] == ["from", "__future__"]:
                yield tokens
                tokens = []
            elif tokens and any(word.type != tokenize.STRING for word in tokens):
                return
            else:
                tokens = []
    except (tokenize.TokenError, SyntaxError):
        return
