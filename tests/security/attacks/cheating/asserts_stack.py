# attack: read the expected value from the caller's frame
# contained: expected values are not in the process where the function is called
# expect: wrong_answer
# uses: asserts

import sys


def solve(*arguments):
    frame = sys._getframe()
    while frame:
        for name in ("expected", "want", "answer", "output"):
            if name in frame.f_locals:
                return frame.f_locals[name]
        frame = frame.f_back
