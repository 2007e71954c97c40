# The report of a failed test has the usual lines.
import unittest
class T(unittest.TestCase):
    def test_ok(self):
        self.assertEqual(1, 1)
    def test_bad(self):
        self.assertEqual([1, 2], [1, 3])
unittest.main(testRunner=unittest.TextTestRunner(stream=open("log.txt", "w")), exit=False)
text = open("log.txt").read().splitlines()
print([t for t in text if t.startswith(("FAIL", "AssertionError", "Ran", "- ", "+ "))][:2])
