# attack: have `from solution import *` replace what the test itself uses: builtins, modules, its cases, pytest's marks
# contained: a star import binds only names that the test's source mentions, but neither binds itself nor are builtins
# expect: wrong_answer
# uses: asserts

import contextlib


class pytest:
    class mark:
        parametrize = staticmethod(lambda *rest: lambda function: function)

    raises = staticmethod(lambda *rest, **options: contextlib.suppress(BaseException))


unittest = pytest
all = isinstance = len = abs = sorted = lambda *rest: True
CASES = pytestmark = collect_ignore = []
load_tests = setup_module = lambda *rest: None


def solve(*arguments):
    return 0
