# A module whose import fails leaves no entry and can be imported again.
import importlib
with open("flaky.py", "w") as f:
    f.write("raise ValueError('first')\n")
try:
    import flaky
except ValueError as e:
    print(e)
import sys
print("flaky" in sys.modules)
with open("flaky.py", "w") as f:
    f.write("value = 'second try, longer text'\n")
importlib.invalidate_caches()
import flaky
print(flaky.value)
