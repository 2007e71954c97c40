# attack: return an int subclass whose comparison is always true
# contained: exact types only
# expect: wrong_answer
# uses: asserts

class Seven(int):
    __eq__ = lambda self, other: True
    __hash__ = int.__hash__


def solve(*arguments):
    return Seven()
