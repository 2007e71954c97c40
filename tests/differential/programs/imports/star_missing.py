# A star import fails if __all__ names something that is missing.
with open("star_bad.py", "w") as f:
    f.write("__all__ = ['nope']\n")
from star_bad import *
