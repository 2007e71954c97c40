# else without if is an error.
x = 1
else:
    x = 2
