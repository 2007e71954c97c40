# A repeated keyword argument is an error.
print("x", end="", end="")
