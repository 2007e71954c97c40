# attack: skip the test from the function under test, as pytest and unittest do
# contained: an exception of the program counts as an error of the program
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import unittest

import pytest

turn = iter([pytest.skip.Exception, unittest.SkipTest, pytest.xfail.Exception, pytest.exit.Exception] * 100)


def solve(*arguments):
    raise next(turn)("later")
