print(repr(input("first? ")))
print(repr(input("second? ")))
