"""Lists and dicts that a test got from an attribute or a global of the program, and may change.

`node.children.append(child)` changes the program's list in one process. Here the test has a copy, so what it did to the
copy is done to the program's own before the program is asked for anything else. A loan ends when the test has no
reference to the copy any more.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from sandbox.runner import changes
from sandbox.runner.values import References

MOST_LOANS = 32
MOST_ITEMS = 10_000
OWN_REFERENCES = 3  # to the copy: of the loan, of its watch, and of the call that counts them


class Loan(NamedTuple):
    """The program's number for the container, the test's copy, and what was in it."""

    number: int
    copy: Any
    watch: changes.Watch


def lends(value: Any) -> bool:
    """Whether a container is lent: a large one costs too much to look through each time."""
    return changes.is_container(value) and len(value) <= MOST_ITEMS


class Loans:
    """The loans of one test."""

    def __init__(self) -> None:
        self._loans: list[Loan] = []

    def begin(self, number: int, copy: Any) -> None:
        self._loans.append(Loan(number, copy, changes.Watch([copy])))
        del self._loans[:-MOST_LOANS]

    def settle(self, references: References) -> list[tuple[int, list[Any]]]:
        """Return what has changed in each copy since it was last looked at."""
        loans, self._loans = self._loans, []
        settled = []
        for loan in loans:
            changed = loan.watch.changed(references)
            if changed:
                settled.append((loan.number, changed))
            if sys.getrefcount(loan.copy) > OWN_REFERENCES:
                self._loans.append(Loan(loan.number, loan.copy, changes.Watch([loan.copy])) if changed else loan)
        return settled

    def __bool__(self) -> bool:
        return bool(self._loans)
