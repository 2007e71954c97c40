# A positional argument after a keyword argument is an error.
print(end="", "x")
