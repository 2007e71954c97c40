"""How a request selects and scores answers: extraction options and reward policies."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

PolicyName = Literal["binary", "fraction", "x-coder", "weighted", "first-k", "hack"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule that turns verdicts into a reward.

    `k` and `seed` belong to first-k. `format_bonus` is added for an answer in a closed code fence. With `max_length`,
    the soft overlong punishment of DAPO (arXiv 2503.14476, eq. 13) is added: 0 up to `max_length - length_buffer`,
    then falling linearly, and `-length_penalty` from `max_length` on. Lengths are in tokens if the trainer gives their
    number, and in characters otherwise.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 -- pydantic reads it; it is not a field

    name: PolicyName = "binary"
    k: int | None = None
    seed: int | None = None
    format_bonus: float = 0.0
    max_length: int | None = None
    length_buffer: int = 0
    length_penalty: float = 1.0

    def __post_init__(self) -> None:
        if (self.name == "first-k") != (self.k is not None):
            raise ValueError("the policy first-k needs k, and no other policy may have it")
        if self.k is not None and self.k < 1:
            raise ValueError("k must be at least 1")
        if self.length_buffer < 0 or (self.max_length is not None and self.length_buffer > self.max_length):
            raise ValueError("length_buffer must be between 0 and max_length")

    def select_tests(self, test_count: int) -> list[int]:
        """Return the tests that count, as sorted indices. The choice is the same on every machine and never changes."""
        if self.k is None or self.k >= test_count:
            return list(range(test_count))
        if self.seed is None:
            return list(range(self.k))
        # Not random.sample: another version of Python may draw a different sample.
        ranked = sorted(range(test_count), key=lambda index: sha256(f"{self.seed}:{index}".encode()).digest())
        return sorted(ranked[: self.k])


@dataclass(frozen=True, slots=True)
class Extraction:
    """How to find the answer in a completion.

    `which` selects from several blocks: the last, the first, the longest, or all of them joined. Blocks tagged with the
    expected language come before untagged ones; blocks in another language never count. `bare` decides about text
    without any fence: it holds no answer (`none`), or is the answer (`raw`), in Python only if it parses.
    `thinking_tag` is the tag around thoughts; empty if there is none. Set `thinking_open` if the prompt has already
    opened it: a completion that never closes it then has no answer. Set `fence_open` if the prompt ends with an open
    fence, so that the completion begins with code. Set `prompt` to `included` if a completion is the whole sequence,
    starting with its prompt. `prompt_code` decides whether a block that the prompt contains verbatim may be the answer.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 -- pydantic reads it; it is not a field

    which: Literal["last", "first", "longest", "all"] = "last"
    bare: Literal["none", "raw"] = "none"
    thinking_tag: str = "think"
    thinking_open: bool = False
    fence_open: bool = False
    prompt: Literal["separate", "included"] = "separate"
    prompt_code: Literal["skip", "allow"] = "skip"
