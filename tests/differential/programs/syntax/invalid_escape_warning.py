# An invalid escape in a string keeps its backslash without a visible warning.
x = "\d"
print(repr(x))
