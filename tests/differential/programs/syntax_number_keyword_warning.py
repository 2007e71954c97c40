x = 0xfor y in []
print(x)
