# attack: return a named tuple and an enumeration, which are copied, with operators of their own
# contained: the program provides their operators, so they are restricted like those of any object
# expect: wrong_answer, runtime_error
# uses: asserts
from typing import NamedTuple


class Sum(NamedTuple):
    total: int = 0

    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return self

    __rsub__ = __add__ = __sub__
    __abs__ = lambda self: self
    __lt__ = __gt__ = __le__ = __ge__ = __eq__


def solve(numbers):
    return Sum()
