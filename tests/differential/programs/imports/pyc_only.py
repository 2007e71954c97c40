# A module is imported from bytecode alone.
import os
import py_compile
with open("compiled.py", "w") as f:
    f.write("value = 5\n")
py_compile.compile("compiled.py", "compiled.pyc")
os.remove("compiled.py")
import compiled
print(compiled.value, os.path.basename(compiled.__file__), type(compiled.__loader__).__name__)
