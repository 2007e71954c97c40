# attack: leave state in the warm interpreter's modules for the next test
# contained: each test runs in a fork of a pristine interpreter
# expect: ok
# runs: 3
# stdout: ^fresh

import builtins
import math

print("ESCAPED: remembers" if hasattr(builtins, "left") or hasattr(math, "left") else "fresh")
builtins.left = math.left = 7
builtins.print = lambda *rest: None
