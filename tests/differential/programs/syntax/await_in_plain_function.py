# await in a plain function is an error.
def f():
    await g()
