# attack: let a child fail the asserts while the parent exits well
# contained: the exit code alone passes nothing
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import os

if os.fork():
    os.wait()
    os._exit(0)


def solve(*arguments):
    return None
