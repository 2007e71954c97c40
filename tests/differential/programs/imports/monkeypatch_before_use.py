# A replaced open() is called by the program and not by pathlib.
import builtins
calls = []
real = builtins.open
def spy(*a, **k):
    calls.append(a[0])
    return real(*a, **k)
builtins.open = spy
with open("a.txt", "w") as f:
    f.write("x")
from pathlib import Path
Path("b.txt").write_text("y")
print(calls)
