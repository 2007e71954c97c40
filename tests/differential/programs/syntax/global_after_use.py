# A global statement after a use of the name is an error.
def f():
    print(x)
    global x
