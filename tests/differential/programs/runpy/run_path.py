# runpy runs another file as __main__ and returns its names.
import runpy
with open("other.py", "w") as f:
    f.write("import sys\nprint(__name__, __package__, __spec__, sys.argv[0])\nvalue = 3\n")
ns = runpy.run_path("other.py", run_name="__main__")
print(ns["value"], __name__)
