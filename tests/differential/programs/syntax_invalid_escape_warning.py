x = "\d"
print(repr(x))
