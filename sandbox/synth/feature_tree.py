"""The tree of features: kinds at the top, more specific features below. Each name is unique within its kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

KINDS = ("algorithms", "data_structures", "techniques")
MAX_NAME_CHARS = 80

FeaturePath = tuple[str, ...]


def normalize_name(name: str) -> str:
    """Return the form in which names are compared: `Segment Trees` equals `segment-tree`."""
    words = re.findall(r"[^\W_]+", name.casefold())
    return " ".join(
        word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] not in "su" else word for word in words
    )


class FeatureTree:
    """Paths of feature names in the order of insertion. The first name of a path is a kind."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()
        self._paths: dict[FeaturePath, None] = {}
        self.duplicates = 0

    def add(self, parent: Sequence[str], name: str) -> FeaturePath | None:
        """Add a name and return its path, or None if the name is invalid or its kind already has it."""
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
        """Return the names directly below a path."""
        above = tuple(parent)
        return [path[-1] for path in self._paths if path[:-1] == above]

    def count_by_kind(self) -> dict[str, int]:
        counts = Counter(path[0] for path in self._paths)
        return {kind: counts[kind] for kind in KINDS}

    def count_by_depth(self) -> dict[int, int]:
        return dict(sorted(Counter(len(path) - 1 for path in self._paths).items()))


def format_outline(paths: Iterable[FeaturePath]) -> str:
    """Format paths as lines of a prompt."""
    return "\n".join("- " + " > ".join(path) for path in paths)
