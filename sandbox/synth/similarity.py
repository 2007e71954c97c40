"""Detect similar texts: MinHash for copies within a data set, shared word sequences for known benchmarks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sandbox.errors import BadRequest

SHINGLE_WORDS = 3
BANDS = 32
ROWS = 4


def split_words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def extract_ngrams(text: str, length: int) -> set[tuple[str, ...]]:
    """Return all sequences of `length` words. A shorter text gives one sequence of all its words."""
    said = split_words(text)
    return {tuple(said[start : start + length]) for start in range(max(1, len(said) - length + 1))} if said else set()


def compute_jaccard(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0


def find_near_duplicates(texts: Sequence[str], threshold: float) -> dict[int, int]:
    """Map the index of each near duplicate to the index of the earlier text that is kept.

    MinHash bands (Broder 1997) propose pairs, and the exact Jaccard similarity of their shingles decides. At the
    default threshold of 0.7, the bands miss 2 pairs in 10,000. Raises BadRequest if datasketch is not installed.
    """
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        raise BadRequest("near duplicates need datasketch: run pip install '.[synth]' in a checkout") from None
    shingles = [extract_ngrams(text, SHINGLE_WORDS) for text in texts]
    encoded = ([" ".join(shingle).encode(errors="surrogatepass") for shingle in own] for own in shingles)
    hashes = MinHash.generator(encoded, num_perm=BANDS * ROWS)
    kept = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    copies: dict[int, int] = {}
    for index, (own, own_hash) in enumerate(zip(shingles, hashes, strict=True)):
        rivals = sorted(kept.query(own_hash))
        original = next((rival for rival in rivals if compute_jaccard(own, shingles[rival]) >= threshold), None)
        if original is not None:
            copies[index] = original
        else:
            kept.insert(index, own_hash)
    return copies


class Benchmarks:
    """Texts to keep out of the training data. One that shares `length` consecutive words with them is contaminated."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._ngrams: dict[tuple[str, ...], str] = {}

    def read(self, paths: Iterable[Path]) -> None:
        """Add every row of JSON lines files, and other files as a whole. Raises BadRequest for an unreadable file."""
        for path in paths:
            try:
                content = path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise BadRequest(f"benchmarks: cannot read {path}: {error}") from None
            for number, text in enumerate(_parse_texts(content), start=1):
                self.add(f"{path.name}:{number}", text)

    def add(self, name: str, text: str) -> None:
        if len(split_words(text)) >= self._length:
            for run in extract_ngrams(text, self._length):
                self._ngrams.setdefault(run, name)

    def find_source(self, text: str) -> str | None:
        """Return the place in a benchmark that shares words with the text, or None."""
        shared = [self._ngrams[run] for run in extract_ngrams(text, self._length) if run in self._ngrams]
        return min(shared) if shared else None


def _parse_texts(content: str) -> Iterator[str]:
    try:
        rows = [json.loads(line) for line in content.splitlines() if line.strip()]
    except ValueError:
        yield content
        return
    for row in rows:
        yield "\n".join(_collect_strings(row))


def _collect_strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _collect_strings(inner)
