# Module code has the usual recursion depth left during its import.
with open("deep_mod.py", "w") as f:
    f.write("def f(n):\n    try:\n        return f(n + 1)\n    except RecursionError:\n        return n\nprint(f(1))\n")
import deep_mod
print(deep_mod.f(1))
