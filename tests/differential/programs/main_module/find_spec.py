# find_spec of __main__ fails because a script has no spec.
import importlib.util
try:
    print(importlib.util.find_spec("__main__"))
except ValueError as e:
    print("ValueError", e)
