# Test cases are named after __main__.
import unittest
class A(unittest.TestCase):
    def test_x(self): ...
print([str(t) for t in unittest.defaultTestLoader.loadTestsFromModule(__import__("__main__"))])
