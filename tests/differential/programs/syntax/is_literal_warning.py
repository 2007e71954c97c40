# Comparing with a number by identity warns.
x = 5
print(x is 5)
