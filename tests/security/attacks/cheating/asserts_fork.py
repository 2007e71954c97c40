# attack: let a child fail the asserts while the parent exits with success
# contained: the exit code alone does not pass a test
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import os

if os.fork():
    os.wait()
    os._exit(0)


def solve(*arguments):
    return None
