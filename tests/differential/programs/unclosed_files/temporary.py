# Temporary files that are never closed still exist in an exit handler.
import os
import tempfile
t = tempfile.NamedTemporaryFile(dir=".", suffix=".x")
d = tempfile.TemporaryDirectory(dir=".")
print(sorted(n.endswith(".x") for n in os.listdir(".") if n != "main.py"))
import atexit
atexit.register(lambda: print(len(os.listdir("."))))
