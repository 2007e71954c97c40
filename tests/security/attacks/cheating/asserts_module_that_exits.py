# attack: return a module whose import runs unittest and ends the test's process with exit code 0
# contained: the test imports no module that the program names, and an exit passes no test
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import types

solve = types.ModuleType("unittest.__main__")
