# A delegating generator closes the inner one first at exit.
def outer():
    try:
        yield from inner()
    finally:
        print("outer closed")
def inner():
    try:
        yield 1
    finally:
        print("inner closed")
g = outer()
print(next(g))
