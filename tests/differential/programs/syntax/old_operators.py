# The inequality operator of Python 2 is an error.
print(1 <> 2)
