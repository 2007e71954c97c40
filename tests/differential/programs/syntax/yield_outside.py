# yield at module level is an error.
x = 1
yield x
