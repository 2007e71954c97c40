# A star import takes what __all__ names and nothing else.
with open("star_mod.py", "w") as f:
    f.write("__all__ = ['a', '_b']\na, _b, c = 1, 2, 3\n")
from star_mod import *
print(a, _b, "c" in globals())
