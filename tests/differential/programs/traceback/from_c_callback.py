# An error in a sort key shows no frame of the C function.
def key(v):
    return 1 / v
sorted([1, 0, 2], key=key)
