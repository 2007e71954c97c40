# A syntax error in an imported module names that module's file.
with open("broken_mod.py", "w") as f:
    f.write("x = 1\ndef f(:\n    pass\n")
import broken_mod
