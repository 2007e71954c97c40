# attack: overwrite the file of tests before it is imported
# contained: tests are not stored as files next to the program
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import glob

for name in glob.glob("*.py"):
    open(name, "w").write("")


def solve(*arguments):
    return None
