# Nested class bodies meet the recursion limit at the usual depth.
depth = 0
src = "class C:\n    global depth\n    depth += 1\n    exec(src)\n"
try:
    exec(src)
except RecursionError:
    print(depth)
