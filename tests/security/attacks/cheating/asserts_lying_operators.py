# attack: return an object whose operators and conversions always agree with the other operand
# contained: the test does not name its class, so it cannot pose as a number, a text or a list
# expect: wrong_answer, runtime_error
# uses: asserts

class Sum:
    def __init__(self, numbers):
        self.numbers = numbers

    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return self

    __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __eq__
    __rsub__ = __add__ = __radd__ = __mod__ = __rmod__ = __sub__
    __hash__ = __int__ = __index__ = __len__ = lambda self: 7
    __abs__ = __round__ = lambda self, *digits: self
    __float__ = lambda self: 7.5


def solve(numbers):
    return Sum(numbers)
