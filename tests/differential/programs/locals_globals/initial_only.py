# The globals start with the names and values of a plain start.
names = sorted(globals())
print(names)
print({n: repr(globals()[n]) for n in names if n not in ("__file__", "__loader__", "__builtins__", "names")})
