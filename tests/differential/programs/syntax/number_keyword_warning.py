# A number that runs into a keyword warns and is parsed.
x = 0xfor y in []
print(x)
