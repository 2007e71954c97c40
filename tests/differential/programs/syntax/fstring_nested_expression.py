# An error in an f-string's expression shows that expression.
x = 1
print(f"{x +* 2}")
