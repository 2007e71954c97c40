# Recursion through map and list meets the limit at the usual depth.
depth = 0
def f(n):
    global depth
    depth = n
    return list(map(f, [n + 1]))
try:
    f(1)
except RecursionError as e:
    print(depth, e)
