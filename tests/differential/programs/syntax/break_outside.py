# break outside a loop is an error.
if True:
    break
