# attack: patch functions that a comparison may use: all, abs, len, repr, sorted, isinstance, math.isclose
# contained: comparing happens outside the program's process
# expect: wrong_answer
# uses: asserts

import builtins
import math

for name in ("all", "isinstance"):
    setattr(builtins, name, lambda *rest: True)
builtins.abs = lambda value: 0
builtins.repr = builtins.str = lambda *rest: ""
math.isclose = lambda *rest, **options: True


def solve(*arguments):
    return None
