"""Read one line of Markdown: its fence marks, what may precede them, and the language that they name."""

from __future__ import annotations

import re

from sandbox import languages

_WRAPPERS = frozenset({"markdown", "md"})
# Fence names that are not a language of this service. Any other word after the marks in an open block closes the block.
_OTHER_NAMES = re.compile(
    r"asm|bat|clojure|cmd|conf|console|css|csv|cuda|dart|diff|dockerfile|elixir|erlang|gherkin|glsl|graphql|html|http"
    r"|ini|input|jsonl?|jsx|julia|kotlin|kt|latex|lisp|log|makefile|matlab|mermaid|nasm|nim|objc|objectivec|output"
    r"|plain|plaintext|powershell|proto|ps1|pseudo|pseudocode|pycon|regex|result|scala|scheme|scss|solidity|stderr"
    r"|stdin|stdout|svelte|swift|terminal|tex|text|toml|tsx|txt|vb|vue|xml|ya?ml|zig|zsh",
    re.IGNORECASE,
)
_MAX_QUOTES = 16
FENCE_MARKS = ("```", "~~~")
BLANK = " \t\r\f\v\u00a0\u200b\u200c\u200d\u2060\ufeff"
_PREFIX = re.compile(
    rf"(?:[{BLANK}]|>|[-*+](?=[ \t])|[0-9]{{1,9}}[.)](?=[ \t])|\*\*|</?\w{{1,32}}>"
    r"|<[|\uff5c][^<>\s]{1,60}[|\uff5c]>)*+"
)
_TAGS = re.compile(r"<[^<>]*>")
WORD = re.compile(r"[\w+#.\-]+")


def starts_with_fence(text: str) -> bool:
    """Return whether the first non-blank line begins with a fence."""
    line = text.lstrip().split("\n", 1)[0]
    return line[measure_prefix(line) :].startswith(FENCE_MARKS)


def tag_language(tag: str) -> str:
    """Return the language that a fence's tag names, such as `Python3`, `c++17` or `{.py}`.

    A language of this service is returned by its own name, any other in lower case.
    """
    words: list[str] = WORD.findall(tag[:256])
    if not words:
        return ""
    word = words[0].lstrip(".").rstrip(".").lower().removeprefix("language-")
    for name in (word, word.rstrip("0123456789.-")):
        known = languages.find_language(name)
        if known is not None:
            return known.name
    return word


def measure_prefix(line: str) -> int:
    """Return the length of the part that may precede a fence: blanks, quote and list markers, tags."""
    found = _PREFIX.match(line)
    return found.end() if found is not None else 0


def measure_depth(prefix: str) -> tuple[int, int]:
    """Return the quote depth of a prefix, and the indent of the text after the quote markers."""
    inner = prefix[prefix.rfind(">") + 1 :] if ">" in _TAGS.sub("", prefix) else prefix
    quotes = min(_TAGS.sub("", prefix).count(">"), _MAX_QUOTES)
    if "<" in prefix:
        return quotes, 0
    return quotes, len(inner.removeprefix(" ") if quotes else inner.lstrip("\ufeff\u200b\u200c\u200d\u2060"))


def split_fence(bare: str) -> tuple[str, str]:
    """Split text into the fence marks at its start and the rest."""
    mark = bare[: len(bare) - len(bare.lstrip(bare[0]))]
    return mark, bare[len(mark) :].strip(BLANK)


def opens_block(info: str, adjacent: bool) -> bool:
    """Return whether a fence inside an open block opens a nested block. `info` is the text after the fence's marks."""
    words = info.split(maxsplit=1)
    if not words:
        return False
    if len(words) == 1 or adjacent:
        return is_name(info) or _OTHER_NAMES.fullmatch(words[0]) is not None
    return is_name(words[0]) and words[1].startswith("{")


def is_name(info: str) -> bool:
    return is_language(info) or is_wrapper(info)


def is_language(info: str) -> bool:
    """Return whether `info` names a served language, optionally with options such as `title=...`, and is not prose."""
    words = info.split()
    if not words or not re.match(r"\{?\.?\w", info):
        return False
    return tag_language(words[0]) in languages.load_languages() and all(
        "=" in word or "}" in word for word in words[1:]
    )


def is_wrapper(tag: str) -> bool:
    return tag_language(tag) in _WRAPPERS


def strip_quotes(line: str, depth: int) -> str:
    stripped = 0
    for _ in range(depth):
        rest = line.lstrip(BLANK)
        if not rest.startswith(">"):
            break
        line, stripped = rest[1:], stripped + 1
    return line.removeprefix(" ") if stripped else line
