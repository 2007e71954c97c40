# A function without an indented body is an error.
def f():
print("x")
