# The traceback of endless recursion is shortened.
def f(n):
    return f(n + 1)
f(0)
