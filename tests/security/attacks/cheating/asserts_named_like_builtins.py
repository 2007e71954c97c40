# attack: return objects of classes that are named like builtins and variables of the test
# contained: a test names a class only if its own source looks it up in the program
# expect: wrong_answer
# uses: asserts


class Liar:
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __contains__ = lambda self, other: True
    __hash__ = None
    __len__ = lambda self: 7
    __iter__ = lambda self: iter(())
    __bool__ = lambda self: True
    startswith = is_sorted = lambda self, *rest: True


NAMES = ("sorted", "len", "isinstance", "str", "abs", "all", "candidate", "expected", "numbers", "got", "want")
LIARS = [type(name, (Liar,), {}) for name in NAMES]
globals().update(zip(NAMES, LIARS))
turn = iter(LIARS * 100)


def solve(*arguments):
    return next(turn)()
