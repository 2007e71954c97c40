# attack: return a module whose import raises SkipTest, so that pytest skips the test
# contained: the test imports no module that the program names
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import types

solve = types.ModuleType("test.test_winreg")
