# runpy runs the program's own file under another name.
import runpy
import sys
print(__name__)
if __name__ == "__main__":
    ns = runpy.run_path(__file__, run_name="again")
    print(sorted(k for k in ns if not k.startswith("__")))
