# A chain of four causes is printed in full.
def f(n):
    try:
        if n:
            f(n - 1)
        else:
            raise ValueError(0)
    except ValueError as e:
        raise ValueError(n) from e
f(3)
