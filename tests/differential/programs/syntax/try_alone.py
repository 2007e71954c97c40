# try without except or finally is an error.
try:
    x = 1
print(x)
