# Functions that exec and eval call have the usual recursion depth left.
ns = {}
exec("def f(n):\n    try:\n        return f(n + 1)\n    except RecursionError:\n        return n\n", ns)
print(ns["f"](1))
exec("print(f(1))", ns)
print(eval("f(1)", ns))
