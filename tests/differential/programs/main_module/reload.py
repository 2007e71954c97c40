# Reloading __main__ fails because a script has no spec.
import importlib
import sys
importlib.reload(sys.modules["__main__"])
