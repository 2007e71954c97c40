# A directory without __init__.py is a namespace package.
import os
os.mkdir("nspace")
with open("nspace/mod.py", "w") as f:
    f.write("v = 1\n")
import nspace.mod
print(nspace.__file__, type(nspace.__path__).__name__, nspace.mod.v)
