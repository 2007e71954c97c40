# attack: end a loop of the test, `all(map(check, cases))`, with a StopIteration from an attribute or an operator
# contained: only an iterator's next item may end a loop
# expect: wrong_answer, runtime_error
# uses: asserts
class Solved:
    def _stop(self, *args):
        raise StopIteration

    value = property(_stop)
    __len__ = __getitem__ = __eq__ = __bool__ = __add__ = __radd__ = __int__ = __hash__ = __str__ = _stop


def solve(numbers):
    return Solved()
