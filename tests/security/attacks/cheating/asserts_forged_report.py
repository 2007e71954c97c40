# attack: report on every descriptor that the test has passed
# contained: a report counts only with the test's nonce, on a descriptor of the test's process
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import os

REPORT = b'{"nonce":"","end":"passed"}\n{"end":"passed","outcome":"passed","name":"test_it"}\n'
for descriptor in range(1, 64):
    try:
        os.write(descriptor, REPORT)
    except OSError:
        continue


def solve(*arguments):
    return None
