# attack: let the exception that a test expects of the program be the one that its failed assertion raises
# contained: a name of the program's for AssertionError, or for what it is, is refused
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

TooShort = NotFound = AssertionError
Failure = Exception


def solve(*arguments):
    return 0
