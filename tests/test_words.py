"""Words that this code base gave up stay away, from names and from prose. Each entry says which word to use instead.

Run `python tests/test_words.py` to print every place that is left.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTHON_FOLDERS = ("sandbox", "tests", "loadtest", "deploy")
MARKDOWN = ("*.md", "sandbox/**/*.md", "deploy/**/*.md", "loadtest/**/*.md", "images/**/*.md")
# Inputs of tests are not our prose.
TEST_INPUTS = (
    "tests/corpus/",
    "tests/differential/programs/",
    "tests/differential/asserts/",
    "tests/problems/packages/",
    "tests/security/attacks/",
)

# These words appear neither in a name nor in prose. A plural counts as its singular.
OLD_WORDS = {
    "courier": "result writer",
    "crew": "worker processes",
    "deliverer": "webhook sender",
    "envelope": "job batch",
    "mailbox": "result reader",
    "outbox": "webhook queue",
    "postman": "batch sender",
    "spool": "payload files",
    "tongue": "dialect",
    "walls": "isolation layers, or box handle",
}
# These are not a whole name, in snake case, camel case or capitals, and do not appear between backquotes in prose.
OLD_NAMES = {
    "converse": "run_interactive",
    "dismiss": "stop",
    "election": "vote_outcome",
    "elsewhere": "payload_missing",
    "frameless": "hidden_frames",
    "grove": "deployment",
    "hire": "start",
    "in_doubt": "tainted",
    "inquiry": "prompt_session",
    "journey": "item_trace",
    "judge_beside": "reward_process",
    "large_body": "http_limits",
    "lend_beside": "lend_secondary",
    "lightened": "externalized",
    "lookout": "live_view_cache",
    "not_here": "payload_missing",
    "opinion": "checker_result",
    "patient_protocol": "timeout_protocol",
    "run_beside": "run_test_harness",
    "standing": "candidate_score",
    "strike_out": "discard",
    "told": "payload, response, event or message",
    "tray": "pending",
}
# These phrases do not appear in prose.
OLD_PHRASES = {
    "another value is expected": "expected a different value",
    "beats its heart": "sends a heartbeat",
    "express worker": "reserved worker",
    "lest": "so that it does not",
    "of a stranger": "untrusted",
    "of ours": "our",
    "thereby": "so",
    "uses warm boxes again": "reuses warm boxes",
    "where we failed": "if the service fails",
}
# Names that keep an old word, and why.
EXCEPTIONS = {
    "missing_walls": "a field of the answer of GET /health/ready, which clients read",
}
REDIS_KEY = re.compile(r"\bsandbox:\w+")  # Redis keys keep their names, so that two versions can share a Redis

Place = tuple[str, int]


def _compile_words(words: dict[str, str], template: str) -> re.Pattern[str]:
    alternatives = "|".join(word.replace(" ", r"\s+") for word in words)
    return re.compile(template.format(words=f"({alternatives})"), re.IGNORECASE)


IN_PROSE = _compile_words({**OLD_WORDS, **OLD_PHRASES}, r"\b{words}s?\b")
QUOTED_IN_PROSE = _compile_words(OLD_NAMES, r"`(?:\w+\.)*_*{words}(?:\(\))?`")


@cache
def _find_in_name(name: str) -> str:
    """Return the old word of an identifier or of a file's name, if it has one."""
    if name in EXCEPTIONS:
        return ""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]
    if "_".join(words) in OLD_NAMES:
        return "_".join(words)
    return next((old for word in words for old in (word, word.removesuffix("s")) if old in OLD_WORDS), "")


def _find_in_prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield each old word with the offset of its line."""
    text = REDIS_KEY.sub("", text)
    for pattern in (IN_PROSE, QUOTED_IN_PROSE):
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()), " ".join(match[1].lower().split())


def _find_in_python(source: str) -> Iterator[tuple[int, str]]:
    """Yield each old word of names, comments and docstrings with its line."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and (word := _find_in_name(token.string)):
            yield token.start[0], word
        elif token.type == tokenize.COMMENT:
            yield from ((token.start[0], word) for _, word in _find_in_prose(token.string))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from ((node.lineno + offset, word) for offset, word in _find_in_prose(node.value.value))


def _list_files() -> Iterator[Path]:
    for folder in PYTHON_FOLDERS:
        yield from (ROOT / folder).rglob("*.py")
    for pattern in MARKDOWN:
        yield from ROOT.glob(pattern)


@cache
def find_old_words() -> dict[str, list[Place]]:
    """Return every place of every old word."""
    places: dict[str, list[Place]] = defaultdict(list)
    for path in sorted(_list_files()):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(TEST_INPUTS):
            continue
        text = path.read_text(encoding="utf-8")
        if word := _find_in_name(path.stem):
            places[word].append((name, 0))
        if path.suffix == ".py":
            found = _find_in_python(text)
        else:
            found = ((offset + 1, word) for offset, word in _find_in_prose(text))
        for line, word in found:
            places[word].append((name, line))
    return dict(places)


def _format_places(word: str, places: list[Place]) -> str:
    instead = {**OLD_WORDS, **OLD_NAMES, **OLD_PHRASES}[word]
    return "\n".join([f"{word!r}: say {instead!r}", *(f"    {name}:{line}" for name, line in places)])


def test_no_old_word_comes_back() -> None:
    found = [_format_places(word, places) for word, places in find_old_words().items()]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("envelopes_of", "envelope"),
        ("_EnvelopeSize", "envelope"),
        ("MAILBOX", "mailbox"),
        ("StrikeOut", "strike_out"),
        ("told", "told"),
        ("test_a_client_is_told", ""),
        ("enveloped", ""),
    ],
)
def test_an_old_word_is_found_in_a_name(name: str, word: str) -> None:
    assert _find_in_name(name) == word


def test_an_old_word_is_found_in_a_comment_and_across_the_lines_of_a_docstring() -> None:
    source = '"""It beats its\nheart."""\nhired = 1  # two envelopes\ndef strike_out(): ...\n'
    assert sorted(_find_in_python(source)) == [(1, "beats its heart"), (3, "envelope"), (4, "strike_out")]


if __name__ == "__main__":
    for old, found_places in sorted(find_old_words().items()):
        sys.stdout.write(f"{_format_places(old, found_places)}\n")
