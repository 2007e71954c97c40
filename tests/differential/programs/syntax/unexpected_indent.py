# An unexpected indent is an error.
x = 1
    y = 2
