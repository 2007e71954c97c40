import importlib.util
try:
    print(importlib.util.find_spec("__main__"))
except ValueError as e:
    print("ValueError", e)
