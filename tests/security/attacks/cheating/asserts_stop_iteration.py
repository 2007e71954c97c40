# attack: end the test's own loop over its cases with StopIteration
# contained: a StopIteration that a call raises is a RuntimeError for the test
# expect: wrong_answer
# uses: asserts


class Stop(StopIteration):
    pass


def solve(*arguments):
    raise Stop
