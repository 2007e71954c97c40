# attack: turn a failed assert into success at exit
# contained: the exit code alone does not pass a test
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import atexit
import os

atexit.register(lambda: os._exit(0))


def solve(*arguments):
    return None
