# A Control-Z character in the source is an error.
print(1)

print(2)
