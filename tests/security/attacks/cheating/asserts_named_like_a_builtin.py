# attack: define every builtin that a test may use, as functions and as a class, and return false results from each
# contained: a test gets a builtin name from the program only if it tests that function
# expect: wrong_answer, runtime_error
# uses: asserts

def all(*values):
    return True


any = isinstance = callable = all
str = lambda value: "7"
int = float = sum = abs = len = round = lambda *values: 0


class sorted:
    def __init__(self, *values):
        pass

    def __eq__(self, other):
        return True


def solve(numbers):
    return sorted(numbers)
