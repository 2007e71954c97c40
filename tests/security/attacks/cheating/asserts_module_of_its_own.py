# attack: redefine functions of a module that the test uses without importing it
# contained: a name that the test's source uses as a module is a module of the test's own process
# expect: wrong_answer
# uses: asserts


class math:
    isclose = staticmethod(lambda *rest, **options: True)
    gcd = floor = sqrt = staticmethod(lambda *rest: 0)


class unittest:
    class TestCase:
        pass

    main = staticmethod(lambda *rest, **options: None)


def solve(*arguments):
    return 0
