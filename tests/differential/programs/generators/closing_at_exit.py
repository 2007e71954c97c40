# Suspended generators run their finally blocks at exit, and unstarted ones do not.
def gen(n):
    try:
        yield n
    finally:
        print("closed", n)
g = gen(1)
next(g)
h = gen(2)
next(h)
k = gen(3)
print("end")
