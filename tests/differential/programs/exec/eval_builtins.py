# eval sees the module's name, adds builtins to a bare dictionary and obeys an empty one.
print(eval("__name__"), eval("__name__", {"__name__": "other"}))
g = {}
eval("1", g)
print(list(g), g["__builtins__"] is vars(__builtins__))
try:
    eval("open", {"__builtins__": {}})
except NameError as e:
    print(e)
