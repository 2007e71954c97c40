# runpy runs a package's __main__ with its spec.
import os
import runpy
os.mkdir("pkg")
open("pkg/__init__.py", "w").close()
with open("pkg/__main__.py", "w") as f:
    f.write("print(__name__, __package__, __spec__.name)\n")
runpy.run_module("pkg", run_name="__main__", alter_sys=True)
