# A failed test makes unittest.main exit with code 1.
import io
import unittest
class T(unittest.TestCase):
    def test_bad(self):
        self.fail("no")
print(__name__)
unittest.main(testRunner=unittest.TextTestRunner(stream=io.StringIO()))
