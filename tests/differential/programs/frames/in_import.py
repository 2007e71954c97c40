# The frames seen during an import are those of the import system and the program.
with open("who.py", "w") as f:
    f.write("import sys\nfr = sys._getframe()\nwhile fr:\n    print(fr.f_code.co_name, fr.f_lineno)\n    fr = fr.f_back\n")
import who
