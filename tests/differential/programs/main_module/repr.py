# The repr of __main__ names main.py.
import os
import sys
r = repr(sys.modules["__main__"])
print(r.startswith("<module '__main__' from '"), r.endswith("main.py'>"))
print(os.path.basename(r[:-2]))
