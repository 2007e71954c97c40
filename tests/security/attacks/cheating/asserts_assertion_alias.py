# attack: define the exception class that a test expects as an alias of AssertionError
# contained: a program's name for AssertionError or its base classes is refused
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

TooShort = NotFound = AssertionError
Failure = Exception


def solve(*arguments):
    return 0
