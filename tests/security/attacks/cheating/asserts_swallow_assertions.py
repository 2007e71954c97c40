# attack: return an object that, suppresses the test's failed assertion when used in a with block
# contained: an object of the program cannot suppress an assertion of the test
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
