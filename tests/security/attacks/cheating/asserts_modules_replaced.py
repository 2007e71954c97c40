# attack: replace modules in sys.modules with ones that the test must not import
# contained: the test's process has its own modules
# expect: wrong_answer
# uses: asserts
# isolations: separate, shared

import sys
import types

for name in ("math", "solution", "main", "__main__", "unittest"):
    sys.modules[name] = types.ModuleType("unittest.__main__")
math = sys.modules["math"]
solve = sys.modules["solution"]
