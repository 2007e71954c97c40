# A nested exception group is printed as a tree with tracebacks.
def f(n):
    try:
        raise ValueError(n)
    except ValueError as e:
        return e
raise ExceptionGroup("group", [f(1), TypeError("t"), ExceptionGroup("inner", [f(2), OSError(2, "x")])])
