# inspect finds no source for a function made by exec.
import inspect
ns = {}
exec("def f(): pass", ns)
try:
    inspect.getsource(ns["f"])
except OSError as e:
    print(e)
