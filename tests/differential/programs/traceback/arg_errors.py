# Calls with wrong arguments raise the usual messages.
def f(a, b, *, c): ...
for args, kw in (((), {}), ((1, 2, 3), {"c": 1}), ((1, 2), {}), ((1, 2), {"c": 1, "d": 2})):
    try:
        f(*args, **kw)
    except TypeError as e:
        print(e)
f(1)
