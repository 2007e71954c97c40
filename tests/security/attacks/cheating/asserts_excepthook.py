# attack: suppress the failed assert in sys.excepthook
# contained: the exit code alone does not pass a test
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import os
import sys

sys.excepthook = lambda *rest: os._exit(0)


def solve(*arguments):
    return None
