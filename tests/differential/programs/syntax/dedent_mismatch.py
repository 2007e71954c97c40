# A dedent to a column that no block has is an error.
if True:
        x = 1
    y = 2
