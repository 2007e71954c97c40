# attack: replace AssertionError by something harmless
# contained: the statement raises the interpreter's own class
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import builtins


class Harmless(SystemExit):
    def __init__(self, *rest):
        super().__init__(0)


builtins.AssertionError = Harmless


def solve(*arguments):
    return None
