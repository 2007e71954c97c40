# A backslash in the expression of an f-string is an error.
print(f"{'\n'.join([])}")
