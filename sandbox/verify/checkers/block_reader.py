"""Read the tokens and lines of an output one block at a time.

A rule that splits 16 MB at once creates eight million small objects, most of which it never uses. With blocks, two
outputs are compared piece by piece in constant memory, and reading stops at the first difference.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, zip_longest
from secrets import token_bytes
from typing import AnyStr

BLOCK_BYTES = 1 << 16
COUNTED_BYTES = 1 << 20  # up to this size pieces are counted individually, which takes 100 bytes each
SPACES = b" \t\n\r\v\f"
_SALT = token_bytes(16)


def iter_tokens(
    output: bytes, start: int = 0, split: Callable[[bytes], list[bytes]] = bytes.split, spaces: bytes = SPACES
) -> Iterable[bytes]:
    """Iterate over the tokens of `output` from byte `start` on. `split` splits a block at the bytes in `spaces`."""
    if len(output) - start <= BLOCK_BYTES:
        return split(output[start:] if start else output)
    return chain.from_iterable(_iter_token_blocks(output, start, split, spaces))


def _iter_token_blocks(
    output: bytes, start: int, split: Callable[[bytes], list[bytes]], spaces: bytes
) -> Iterator[list[bytes]]:
    size = BLOCK_BYTES
    while start < len(output):
        block = output[start : start + size]
        start += len(block)
        found = split(block)
        size = BLOCK_BYTES
        if start < len(output) and block[-1] not in spaces:  # the last token may continue in the next block
            start -= len(found[-1])
            if len(found) == 1:
                size = 2 * len(found[0]) + BLOCK_BYTES
            found.pop()
        yield found


def iter_lines(output: AnyStr, newline: AnyStr, start: int = 0) -> Iterator[AnyStr]:
    """Yield the same lines as `output.split(newline)`, from byte `start` on."""
    while (end := output.find(newline, start + BLOCK_BYTES)) >= 0:
        yield from output[start:end].split(newline)
        start = end + 1
    yield from output[start:].split(newline)


def find_first_difference(
    unit: str,
    found: Iterable[AnyStr],
    wanted: Iterable[AnyStr],
    equal: Callable[[AnyStr, AnyStr], bool] = operator.eq,
    start: int = 0,
) -> str:
    """Describe the first difference of two sequences, or return an empty string.

    `start` is the byte where they begin.
    """
    if isinstance(found, list) and found == wanted:
        return ""
    number = 0
    where = f" from byte {start} on" if start else ""
    for one, other in zip_longest(found, wanted):
        number += 1
        if one == other:
            continue
        if one is None:
            return f"the output ends after {number - 1} {unit}s{where}"
        if other is None:
            return f"the output goes on after {number - 1} {unit}s{where}"
        if not equal(one, other):
            return f"{unit} {number}{where} differs"
    return ""


def find_unordered_difference(unit: str, found: Iterable[bytes], wanted: Iterable[bytes], large: bool) -> str:
    """Describe why two collections are not the same multiset, or return an empty string.

    Large ones are compared by their number of pieces and the sum of the pieces' hashes. The hashes are keyed and
    salted, so nobody can construct two collections with the same sum.
    """
    if not large:
        few, many = list(found), list(wanted)
        if len(few) != len(many):
            return f"{len(few)} {unit}s, not {len(many)}"
        return "" if Counter(few) == Counter(many) else f"the {unit}s are not the same"
    expected_sum = expected_count = 0
    for piece in wanted:
        expected_sum += hash(_SALT + piece)
        expected_count += 1
    found_sum = found_count = 0
    for piece in islice(found, expected_count + 1):
        found_sum += hash(_SALT + piece)
        found_count += 1
    if found_count != expected_count:
        ends = "ends" if found_count < expected_count else "goes on"
        return f"the output {ends} after {min(found_count, expected_count)} {unit}s"
    return "" if found_sum == expected_sum else f"the {unit}s are not the same"


def decode_stripped(output: bytes) -> str:
    """Decode and strip the text, using Python's definition of white space. Bytes that are not UTF-8 are preserved."""
    return output.strip().decode(errors="surrogateescape").strip()


def count_common_prefix(one: AnyStr, other: AnyStr) -> int:
    """Count the equal leading bytes or characters by bisection: one at a time takes a second for 16 MiB."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def find_divergence_start(actual: bytes, expected: bytes, ends: bytes) -> int:
    """Return the byte from which two outputs must be compared: the start of the first piece that differs.

    Return 0 for small outputs, where the search costs more than the comparison. `ends` are the bytes that end a piece.
    """
    if len(actual) <= BLOCK_BYTES:
        return 0
    prefix = count_common_prefix(actual, expected)
    return 1 + max(actual.rfind(end, 0, prefix) for end in ends)
