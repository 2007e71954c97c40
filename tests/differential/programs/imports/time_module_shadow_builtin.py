# Local time.py and math.py do not replace modules that are built in.
with open("time.py", "w") as f:
    f.write("raise RuntimeError('builtin modules win')\n")
with open("math.py", "w") as f:
    f.write("pi = 'local math'\n")
import time
import math
print(time.__spec__.origin, math.pi)
