# reload() runs the new source of a changed module.
import importlib
with open("changing.py", "w") as f:
    f.write("v = 1\n")
import changing
print(changing.v)
with open("changing.py", "w") as f:
    f.write("v = 'two'\nw = 3\n")
importlib.invalidate_caches()
print(importlib.reload(changing).v, changing.w)
