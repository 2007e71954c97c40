# An assertion of a tuple warns and passes.
assert (1 == 2, "always true")
print("ok")
