# Five recursion errors in a row have equally long tracebacks.
def f():
    f()
for i in range(5):
    try:
        f()
    except RecursionError as e:
        n = 0
        tb = e.__traceback__
        while tb:
            n += 1
            tb = tb.tb_next
        print(i, n)
