# An error in an imported module shows both files in the traceback.
with open("fails.py", "w") as f:
    f.write("x = 1\ndef g():\n    return x / 0\ng()\n")
import fails
