# sys.exit during an import ends the program.
with open("leaver.py", "w") as f:
    f.write("import sys\nprint('importing')\nsys.exit(13)\n")
import leaver
print("not reached")
