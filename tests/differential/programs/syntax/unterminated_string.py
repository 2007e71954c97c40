# A string without its closing quote is an error.
print("never printed")
x = "abc
