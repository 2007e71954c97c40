# exec and eval store and look up names in the given dictionaries.
g = {}
exec("a = 1\ndef f(): return a", g)
print(sorted(g), g["f"]())
l = {}
exec("b = a + 1", {"a": 5}, l)
print(l)
exec("c = 3")
print(c, eval("c + x", {"x": 1}, {"c": 10}))
