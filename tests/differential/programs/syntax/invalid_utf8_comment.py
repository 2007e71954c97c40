# A comment with a byte that is no UTF-8 is an error.
x = 1
# café
print(x)
