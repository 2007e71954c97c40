"""The tree of features: kinds at the top, more special ones below, each name once in its kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

KINDS = ("algorithms", "data_structures", "techniques")
MAX_NAME_CHARS = 80

FeaturePath = tuple[str, ...]


def normalize_name(name: str) -> str:
    """How names are compared: `Segment Trees` is `segment-tree`."""
    words = re.findall(r"[^\W_]+", name.casefold())
    return " ".join(
        word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "su" else word for word in words
    )


class FeatureTree:
    """Paths of names, the first a kind, in the order of their arrival."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self._paths: dict[FeaturePath, None] = {}
        self.duplicates = 0

    def add(self, parent: Sequence[str], name: str) -> FeaturePath | None:
        """The new path; None for a name that its kind has already, or that is none."""
        name = " ".join(name.split())
        key = (parent[0], normalize_name(name))
        if not key[1] or len(name) > MAX_NAME_CHARS:
            return None
        if key in self._seen:
            self.duplicates += 1
            return None
        path = (*parent, name)
        self._seen.add(key)
        self._paths[path] = None
        return path

    @property
    def paths(self) -> list[FeaturePath]:
        return list(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def list_children(self, parent: Sequence[str]) -> list[str]:
        """Names right below a path."""
        above = tuple(parent)
        return [path[-1] for path in self._paths if path[:-1] == above]

    def count_by_kind(self) -> dict[str, int]:
        counts = Counter(path[0] for path in self._paths)
        return {kind: counts[kind] for kind in KINDS}

    def count_by_depth(self) -> dict[int, int]:
        return dict(sorted(Counter(len(path) - 1 for path in self._paths).items()))


def format_outline(paths: Iterable[FeaturePath]) -> str:
    """Paths as lines for a prompt."""
    return "\n".join("- " + " > ".join(path) for path in paths)
