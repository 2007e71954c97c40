# attack: return an object that, used in a with block, swallows the test's failed assertion
# contained: a block of the program's does not suppress an assertion of the test's
# expect: wrong_answer, runtime_error
# uses: asserts
class Anything:
    def __enter__(self):
        return 0

    def __exit__(self, *raised):
        return True

    async def __aenter__(self):
        return 0

    async def __aexit__(self, *raised):
        return True


def solve(numbers):
    return Anything()
